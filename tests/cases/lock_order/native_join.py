# expect: the GIL
"""A native thread that needs the GIL is joined with the GIL held."""

import threading
import orderpool


orderpool.join_with_gil(0.05)
