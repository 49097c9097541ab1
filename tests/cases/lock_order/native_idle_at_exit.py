# expect: nothing
"""A native thread has called Python, lives on, and does not call it any more."""

import time

import orderpool

orderpool.start_pump(1)
time.sleep(0.05)
