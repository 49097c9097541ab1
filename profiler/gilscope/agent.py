"""Lets this user's ``gilscope attach`` and ``gilscope snapshot`` reach a program while it runs.

``import gilscope.agent`` is all it takes. A thread of its own then waits at a Unix socket that only
this user, and root, can open. Python 3.14 and later need no such import: ``gilscope attach`` brings
it into the program.
"""

from __future__ import annotations

import warnings

from gilscope.errors import GilscopeError
from gilscope.target.agent.server import start

try:
    start()
except (GilscopeError, OSError) as error:
    # The program goes on: that it can be attached to is not what it is for.
    warnings.warn(f"gilscope cannot be attached to: {error}", RuntimeWarning, stacklevel=2)
