"""What a program prints, and what a notebook's cell displays in the midst of that."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.target.worker.display import MOST_BYTES, PLAIN, mark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_MARK = 64
"""Characters; what does not end by then is no mark."""


@dataclass(frozen=True)
class Display:
    """What a cell displays.

    Attributes:
        data: The same in several kinds of data, by MIME type.
        metadata: Of the data, by MIME type.
        display_id: A name to update it by; None for none.
        update: Whether it takes the place of what was displayed under this name.
    """

    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None = None
    update: bool = False


class Outputs:
    """Takes apart what one run prints, and passes it on in order."""

    def __init__(
        self,
        directory: Path,
        build: str,
        output: Callable[[str, str, str], None] | None,
        display: Callable[[str, Display], None] | None,
        *,
        first: bool,
    ) -> None:
        """Prepare for a run.

        Args:
            directory: Where the program's process puts its displays.
            build: Of the run.
            output: Takes build, stream and text; may be None.
            display: Takes build and display; may be None.
            first: Whether this run is shown at all.
        """
        self._directory = directory
        self._build = build
        self._output = output if first else None
        self._display = display if first else None
        self._token = secrets.token_hex(8)
        self._begin = mark(self._token, "").removesuffix(";")
        self._mark = re.compile(re.escape(self._begin) + r"(\d+-\d+);")
        self._held = ""

    @property
    def place(self) -> dict[str, str] | None:
        """Where the program's process is to put its displays; None for nowhere."""
        if self._display is None:
            return None
        return {"directory": str(self._directory.absolute()), "token": self._token}

    def take(self, stream: str, text: str) -> None:
        """Pass on what the program prints; the beginning of a mark waits for its end."""
        if stream != "stdout":
            self._say(stream, text)
            return
        parts = self._mark.split(self._held + text)
        for words, name in zip(parts[:-1:2], parts[1::2], strict=True):
            self._say(stream, words)
            self._show(name)
        rest, begin = parts[-1], parts[-1].rfind(self._begin[0])
        end = rest[begin:] if begin >= 0 else ""
        begun = self._begin.startswith(end) or (
            end.startswith(self._begin) and len(end) < LONGEST_MARK
        )
        self._held = end if begun else ""
        self._say(stream, rest.removesuffix(self._held))

    def finish(self) -> None:
        """Pass on what has waited in vain."""
        held, self._held = self._held, ""
        self._say("stdout", held)

    def plain(self, text: str) -> str:
        """Return what the program has printed with displays as text, as other runs print them."""
        return self._mark.sub(lambda found: self._words(found[1]), text)

    def _say(self, stream: str, text: str) -> None:
        if text and self._output is not None:
            self._output(self._build, stream, text)

    def _show(self, name: str) -> None:
        found = self._read(name)
        if found is not None and self._display is not None:
            self._display(self._build, found)

    def _words(self, name: str) -> str:
        found = self._read(name)
        return f"{found.data.get(PLAIN, '')}\n" if found else ""

    def _read(self, name: str) -> Display | None:
        """Return a display; None if there is none of this name that can be read."""
        path = self._directory / f"{name}.json"
        try:
            with path.open(encoding="utf-8") as file:
                facts = json.loads(file.read(MOST_BYTES + 1))
            found = Display(
                dict(facts["data"]),
                dict(facts["metadata"]),
                facts["display_id"],
                bool(facts["update"]),
            )
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return found if found.display_id is None or isinstance(found.display_id, str) else None
