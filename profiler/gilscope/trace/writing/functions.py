"""Files of functions that a trace does not name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.trace.reading.place_tables import Places


@dataclass(frozen=True, slots=True)
class Functions:
    """Functions that came to a process without the name of their file.

    Attributes:
        stand_in: what their file is called instead.
        files: the file by (module, qualified name, first line).
    """

    stand_in: str
    files: Mapping[tuple[str, str, int], str]

    def name_in(self, places: Places) -> None:
        """Change the tables of a trace so that these functions are of their files."""
        texts = places.strings
        missing = {number for number, text in texts.items() if text == self.stand_in.encode()}
        added: dict[str, int] = {}
        for number, (line, file, name, module) in places.codes.items():
            if file not in missing:
                continue
            owner, called = (texts.get(n, b"").decode(errors="replace") for n in (module, name))
            path = self.files.get((owner, called, line))
            if path is None:
                continue
            if path not in added:
                added[path] = max(texts) + 1
                texts[added[path]] = path.encode(errors="replace")
            places.codes[number] = line, added[path], name, module
