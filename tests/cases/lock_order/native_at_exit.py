# expect: native thread
"""A native thread calls Python for as long as the process lives; nothing stops it."""

import orderpool

orderpool.start_pump(1_000_000)
orderpool.await_pump()
