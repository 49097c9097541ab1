"""The compressed tables of code objects: lines, and handlers of exceptions.

InternalDocs/code_objects.md and exception_handling.md of CPython describe them.
"""

from __future__ import annotations

_UNIT = 2  # bytes
_NO_LOCATION, _LONG, _NO_COLUMNS, _ONE_LINE = 15, 14, 13, range(10, 13)


def line_at(table: bytes, first: int, at: int) -> int:
    """Return the line of the instruction at an offset; 0 if it has none.

    Args:
        table: ``co_linetable``.
        first: ``co_firstlineno``.
        at: Offset in bytes.
    """
    line, place, reader = first, 0, _Varints(table, 6)
    while reader.at < len(table):
        head = table[reader.at]
        reader.at += 1
        code, size = head >> 3 & 15, ((head & 7) + 1) * _UNIT
        if code in (_LONG, _NO_COLUMNS):
            line += reader.signed()
            for _ in range(3 if code == _LONG else 0):
                reader.next()
        elif code in _ONE_LINE:
            line += code - _ONE_LINE.start
            reader.at += 2
        elif code != _NO_LOCATION:
            reader.at += 1
        if place <= at < place + size:
            return 0 if code == _NO_LOCATION else line
        place += size
    return 0


def handler_at(table: bytes, at: int) -> tuple[int, int] | None:
    """Return where an exception raised at an offset goes, and the depth of the stack there.

    Args:
        table: ``co_exceptiontable``.
        at: Offset in bytes.
    """
    place = 0
    while place < len(table):
        numbers = []
        for _ in range(4):
            value = 0
            while place < len(table):
                byte = table[place]
                place += 1
                value = value << 6 | byte & 63
                if not byte & 64:
                    break
            numbers.append(value)
        begin, size, target, depth = numbers
        if begin * _UNIT <= at < (begin + size) * _UNIT:
            return target * _UNIT, depth >> 1
    return None


class _Varints:
    """Numbers of six bits a byte, the lowest first."""

    def __init__(self, data: bytes, bits: int) -> None:
        self.data, self.at, self._bits = data, 0, bits

    def next(self) -> int:
        value = shift = 0
        while self.at < len(self.data):
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 63) << shift
            shift += self._bits
            if not byte & 64:
                break
        return value

    def signed(self) -> int:
        value = self.next()
        return -(value >> 1) if value & 1 else value >> 1
