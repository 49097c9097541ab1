"""Names of native code and of native locks, from the tables of the objects that they lie in."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from gilscope.target.hangs.elf import Image, NoObjectFileError

if TYPE_CHECKING:
    from types import ModuleType

NAMED = ("mutex", "rwlock", "guard", "once")


class Symbols:
    """Finds the symbol at an address of this process, local ones too."""

    def __init__(self, native: ModuleType) -> None:
        """Read nothing yet."""
        self._native = native
        self._images: dict[str, Image | None] = {}

    def find(self, address: int) -> tuple[str, int, str]:
        """Return the object that an address lies in, its address there, and the symbol.

        Texts are empty where that is unknown; then the address is the given one.
        """
        path, offset, name = self._native.symbol(address) or ("", address, "")
        image = self._image(path) if path else None
        return path, offset, (image.function(offset) if image else "") or name

    def named(self, kind: str, site: int, address: int, *more: Any) -> tuple[Any, ...]:
        """Return a lock as it was recorded, with its symbol for a name if it has one."""
        *rest, name = more
        if kind in NAMED and not name:
            path, _, found = self.find(address)
            name = f"{found} ({path.rpartition('/')[2]})" if found else ""
        return (kind, site, address, *rest, name)

    def _image(self, path: str) -> Image | None:
        if path not in self._images:
            try:
                self._images[path] = Image(path)
            except (OSError, NoObjectFileError, ValueError, struct.error):
                self._images[path] = None
        return self._images[path]
