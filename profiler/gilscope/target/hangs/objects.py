"""Python objects in the memory of a process: types, texts, numbers, attributes, variables."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gilscope.target.hangs.process import WORD, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.target.hangs.debug_offsets import Offsets
    from gilscope.target.hangs.process import Process

MOST_TEXT = 4096
MOST_ENTRIES = 100_000
_INLINE_VALUES, _MANAGED_DICT = 1 << 2, 1 << 4  # Py_TPFLAGS_*
_KEYS_HEADER = 32  # of PyDictKeysObject, up to dk_indices
_UNICODE_KEYS, _SPLIT_KEYS = 1, 2
_DIGIT_BITS = 30
# tp_basicsize follows tp_name; of it, and of ht_cached_keys, only 3.15 tells the offset.
_BASICSIZE_AFTER_NAME = 8


class Objects:
    """Reads objects; every method raises `UnreadableError` for what is no such object."""

    def __init__(self, process: Process, offsets: Offsets) -> None:
        self._process = process
        self._offsets = offsets
        self._types: dict[int, str] = {}
        self._texts: dict[int, str] = {}

    def type_name(self, address: int) -> str:
        """Return ``tp_name`` of an object's type, such as ``_thread.lock``."""
        kind = self._process.number(address + self._offsets["object.type"])
        if kind not in self._types:
            name = self._process.number(kind + self._offsets["type.name"])
            self._types[kind] = self._process.text(name)
        return self._types[kind]

    def text(self, address: int) -> str:
        """Return a str."""
        if address not in self._texts:
            self._texts[address] = self._text(address)
        return self._texts[address]

    def _text(self, address: int) -> str:
        offsets = self._offsets
        if self.type_name(address) != "str":
            raise UnreadableError("no text")
        length = self._process.number(address + offsets["unicode.length"])
        state = self._process.number(address + offsets["unicode.state"], 4)
        # From 3.14 on, `interned` has a byte of its own in free-threaded builds.
        shift = 8 if offsets.free_threaded and offsets.version >= (3, 14) else 2
        kind, compact, ascii_only = (
            state >> shift & 7,
            state >> shift + 3 & 1,
            state >> shift + 4 & 1,
        )
        if length > MOST_TEXT or not compact:
            raise UnreadableError("no short text")
        if not length:
            return ""
        begin = address + offsets["unicode.ascii"] + (0 if ascii_only else 2 * WORD)
        codec = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(kind)
        if codec is None:
            raise UnreadableError("no text")
        return self._process.read(begin, length * kind).decode(codec, "replace")

    def integer(self, address: int) -> int:
        """Return an int that is not negative."""
        if self.type_name(address) not in ("int", "bool"):
            raise UnreadableError("no number")
        size = self._process.number(address + self._offsets["long.lv_tag"]) >> 3
        if size > 4:  # noqa: PLR2004 - thread ids have three digits at most
            raise UnreadableError("no small number")
        begin = address + self._offsets["long.ob_digit"]
        return sum(self._process.number(begin + 4 * i, 4) << _DIGIT_BITS * i for i in range(size))

    def items(self, address: int) -> list[int]:
        """Return the items of a tuple."""
        size = self._process.number(address + self._offsets["tuple.ob_size"])
        if not size:
            return []
        return _words(self._process.read(address + self._offsets["tuple.ob_item"], WORD * size))

    def data(self, address: int) -> bytes:
        """Return a bytes object."""
        size = self._process.number(address + self._offsets["bytes.ob_size"])
        return self._process.read(address + self._offsets["bytes.ob_sval"], size) if size else b""

    def entries(self, address: int) -> Iterator[tuple[int, int]]:
        """Yield key and value of a dict's items."""
        keys = self._process.number(address + self._offsets["dict.keys"])
        values = self._process.number(address + self._offsets["dict.values"])
        if values:
            yield from self._split(keys, values)
            return
        kind, begin, count = self._keys(keys)
        width = 2 if kind in (_UNICODE_KEYS, _SPLIT_KEYS) else 3
        if not count:
            return
        words = _words(self._process.read(begin, WORD * width * count))
        for i in range(0, len(words), width):
            if words[i + width - 1]:
                yield words[i + width - 2], words[i + width - 1]

    def _keys(self, keys: int) -> tuple[int, int, int]:
        """Return the kind of a dict's keys, where its entries begin, and how many there are."""
        header = self._process.read(keys, _KEYS_HEADER)
        count = int.from_bytes(header[24:32], "little")
        if count > MOST_ENTRIES or header[9] > 60:  # noqa: PLR2004 - a logarithm
            raise UnreadableError("no dict")
        return header[10], keys + _KEYS_HEADER + (1 << header[9]), count

    def _split(self, keys: int, values: int) -> Iterator[tuple[int, int]]:
        """Yield the attributes that stand in an object's own values."""
        _, begin, count = self._keys(keys)
        capacity = self._process.number(values, 1)
        count = min(count, capacity)
        if not count:
            return
        names = _words(self._process.read(begin, 2 * WORD * count))[::2]
        found = _words(self._process.read(values + 4 + 4, WORD * count))
        yield from ((name, value) for name, value in zip(names, found, strict=True) if value)

    def attributes(self, address: int) -> Iterator[tuple[str, int]]:
        """Yield the attributes of an instance of a Python class."""
        kind = self._process.number(address + self._offsets["object.type"])
        flags = self._process.number(kind + self._offsets["type.flags"])
        if not flags & _MANAGED_DICT:
            return
        back = 1 if self._offsets.free_threaded else 3
        found = self._process.number(address - back * WORD)
        if found:
            yield from self._named(self.entries(found))
        elif flags & _INLINE_VALUES:
            name = self._offsets["type.name"]
            size = self._process.number(kind + name + _BASICSIZE_AFTER_NAME)
            keys = self._process.number(kind + self._cached_keys)
            if keys:
                yield from self._named(self._split(keys, address + size))

    def _named(self, entries: Iterator[tuple[int, int]]) -> Iterator[tuple[str, int]]:
        for key, value in entries:
            try:
                yield self.text(key), value
            except UnreadableError:
                continue

    def attribute(self, address: int, name: str) -> int:
        """Return one attribute."""
        for found, value in self.attributes(address):
            if found == name:
                return value
        raise UnreadableError(name)

    def globals(self, address: int) -> Iterator[tuple[str, int]]:
        """Yield the names in a module's dict."""
        if self.type_name(address) != "dict":
            raise UnreadableError("no dict")
        yield from self._named(self.entries(address))

    @cached_property
    def _cached_keys(self) -> int:
        """Offset of ``ht_cached_keys`` in a heap type.

        After PyTypeObject come as_async, as_number, as_mapping, as_sequence and as_buffer, then the
        pointers ht_name, ht_slots, ht_qualname (cpython/object.h).
        """
        if "heap.cached_keys" in self._offsets.fields:
            return self._offsets["heap.cached_keys"]
        methods = (4 + 36 + 3 + 10 + 2) * WORD
        return self._offsets["type.size"] + methods + 3 * WORD


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + WORD], "little") for i in range(0, len(data), WORD)]
