"""Lets this user's ``gilscope attach`` and ``gilscope snapshot`` reach a program while it runs.

``import gilscope.agent`` is all it takes. A thread of its own then waits at a Unix socket that only
this user, and root, can open. Python 3.14 and later need no such import: ``gilscope attach`` brings
it into the program.
"""

from __future__ import annotations

from gilscope.target.agent.server import start

start()
