"""A function that is replaced for a while, among others that do the same to it.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Switch:
    """Whether a function that stands in the place of another one does more than to pass on."""

    on = False


class Patch:
    """Puts a function in the place of another one, and takes it away again.

    Others may replace ours meanwhile by one that calls it. Then ours stays where it is, passes
    everything on, and serves again when it is wanted again: neither is theirs lost, nor are there
    more of ours each time.
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        make: Callable[[Switch, Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        """Prepare to replace ``owner.name``, if it is there, by ``make(switch, original)``."""
        self._owner, self._name, self._make = owner, name, make
        self._switch = Switch()
        self._original: Any = None
        self._ours: Any = None
        self._left_below: Any = None

    def install(self) -> None:
        """Begin."""
        now = vars(self._owner).get(self._name)
        if self._switch.on or not callable(now):
            return
        if self._ours is None or now not in (self._ours, self._left_below):
            self._switch = Switch()  # one that was left somewhere passes on for ever
            self._original, self._ours = now, self._make(self._switch, now)
            setattr(self._owner, self._name, self._ours)
        self._switch.on = True

    def remove(self) -> None:
        """Put back what was there, unless somebody else has put something there since."""
        if not self._switch.on:
            return
        self._switch.on = False
        now = vars(self._owner).get(self._name)
        if now is self._ours:
            setattr(self._owner, self._name, self._original)
            self._original = self._ours = self._left_below = None
        else:
            self._left_below = now
