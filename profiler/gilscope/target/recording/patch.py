"""A function that is replaced for a while, among others that do the same to it.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Patch:
    """Puts a function in the place of another one, and takes it away again.

    Others may replace ours meanwhile by one that calls it. Then ours stays where it is, passes
    everything on, and serves again when it is wanted again: neither is theirs lost, nor are there
    more of ours each time.

    Attributes:
        active: Whether ours is to do more than to pass on; it asks for that at each call.
    """

    def __init__(
        self, owner: Any, name: str, make: Callable[[Patch, Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        """Prepare to replace ``owner.name``, if it is there, by ``make(self, original)``."""
        self.active = False
        self._owner, self._name, self._make = owner, name, make
        self._original: Any = None
        self._ours: Any = None
        self._left_below: Any = None

    def install(self) -> None:
        """Begin."""
        now = vars(self._owner).get(self._name)
        if self.active or not callable(now):
            return
        self.active = True
        if self._ours is not None and (now is self._ours or now is self._left_below):
            return
        self._original, self._ours = now, self._make(self, now)
        setattr(self._owner, self._name, self._ours)

    def remove(self) -> None:
        """Put back what was there, unless somebody else has put something there since."""
        if not self.active:
            return
        self.active = False
        now = vars(self._owner).get(self._name)
        if now is self._ours:
            setattr(self._owner, self._name, self._original)
            self._original = self._ours = self._left_below = None
        else:
            self._left_below = now
