# expect: nothing
"""A native thread has called Python, lives on, and does not call it any more."""

import orderpool

orderpool.start_pump(1)
orderpool.await_pump()
