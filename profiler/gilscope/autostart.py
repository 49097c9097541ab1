"""Records this process if the environment variable ``GILSCOPE`` asks for it.

``import gilscope.autostart`` in ``sitecustomize.py`` is all it takes; without the variable it does
nothing. ``GILSCOPE=ring,when=gil_wait>50ms,dir=/var/tmp/traces`` keeps a ring and writes it down
whenever a thread waits longer than 50 ms for the GIL.
"""

from __future__ import annotations

import warnings

from gilscope.errors import GilscopeError
from gilscope.target.recording.environment import begin

try:
    begin()
except (GilscopeError, OSError) as error:
    # The program goes on: a recording is not what it is for.
    warnings.warn(f"gilscope does not record: {error}", RuntimeWarning, stacklevel=2)
