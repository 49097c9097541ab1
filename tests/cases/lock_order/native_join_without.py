# expect: nothing
"""A native thread is joined without the GIL."""

import threading
import orderpool


orderpool.join_without_gil()
