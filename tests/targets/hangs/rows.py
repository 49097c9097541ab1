"""Waits in native code with the GIL, or attached, for a thread that wants Python; argument: which.

"good" behind it lets go of Python around the wait, and so does not hang.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

CALLBACK = ctypes.CFUNCTYPE(None)


@CALLBACK
def callback() -> None:
    """Take the GIL, and stop the world."""
    gc.collect()


good = sys.argv[2:] == ["good"]
library = (ctypes.CDLL if good else ctypes.PyDLL)(os.environ["ROWS"])
getattr(library, f"row_{sys.argv[1]}")(callback)
print("finished")
