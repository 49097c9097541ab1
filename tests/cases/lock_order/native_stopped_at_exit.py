# expect: nothing
"""The same, and an exit handler stops it."""

import atexit
import orderpool

orderpool.start_pump(1_000_000)
atexit.register(orderpool.stop_pump)
orderpool.await_pump()
