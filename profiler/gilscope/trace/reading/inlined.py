"""Where a function calls what the compiler has put into it, from DWARF's tree of functions.

The line table knows the innermost source line of an address, which may be one of a header of the
standard library. The line that belongs to the function's own name is that of the outermost call.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_UNIT = 1 << 24  # bytes of a unit's tree that are read: that takes some seconds
MAX_UNLINKED = 1 << 20  # the same where siblings do not name each other, and all is to be read
_ORIGINS = ("DW_AT_abstract_origin", "DW_AT_specification")
MAX_ORIGINS = 8  # from what was inlined to what it is declared as
_CODE = ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine")


class Unit:
    """The functions of one compilation unit.

    Args:
        dwarf: all debug information of the object.
        unit: of pyelftools.
    """

    def __init__(self, dwarf: Any, unit: Any) -> None:
        self._dwarf, self._unit = dwarf, unit
        top = unit.get_top_DIE()
        first = top.attributes.get("DW_AT_low_pc")
        self._base = first.value if first else 0
        gcc = b"GNU" in getattr(top.attributes.get("DW_AT_producer"), "value", b"")
        small = unit.size <= (MAX_UNIT if gcc else MAX_UNLINKED)
        found = self._functions(top) if small else ()
        self._table = sorted(found, key=itemgetter(0))

    def call(self, address: int) -> tuple[int, int] | None:
        """Number of the file and line at which its function calls what is at this address.

        Returns:
            None if it is the function's own code, or if nothing is known.
        """
        row = bisect_right(self._table, address, key=itemgetter(0)) - 1
        if row < 0 or address >= self._table[row][1]:
            return None
        die = self._table[row][2]
        while die := next(filter(lambda d: self._covers(d, address), die.iter_children()), None):
            call = [die.attributes.get(f"DW_AT_call_{what}") for what in ("file", "line")]
            if die.tag == "DW_TAG_inlined_subroutine":
                return (call[0].value, call[1].value) if call[0] and call[1] else None
        return None

    def chain(self, address: int) -> list[tuple[str, int, int]]:
        """Return the functions that the compiler inlined at this address, the outermost first.

        Returns:
            Of each function that was inlined there: its name as in the object file, and number of
            the file and line at which it calls the next one; 0 and 0 of the last one, whose line
            is that of the line table.
        """
        inlined = [d for d in self.scopes(address) if d.tag == "DW_TAG_inlined_subroutine"]
        names = [_name_of(die) for die in inlined]
        calls = []
        for die in inlined:
            call = [die.attributes.get(f"DW_AT_call_{what}") for what in ("file", "line")]
            calls.append((call[0].value, call[1].value) if call[0] and call[1] else (0, 0))
        places = [*calls[1:], (0, 0)]
        return [(name, *place) for name, place in zip(names, places, strict=False)]

    def scopes(self, address: int) -> list[Any]:
        """The function at an address, and the blocks and functions in it, the outermost first."""
        row = bisect_right(self._table, address, key=itemgetter(0)) - 1
        if row < 0 or address >= self._table[row][1]:
            return []
        found = [self._table[row][2]]
        while die := next(
            filter(lambda d: self._covers(d, address), found[-1].iter_children()), None
        ):
            found.append(die)
        return found

    def _functions(self, die: Any) -> Iterator[tuple[int, int, Any]]:
        """(begin, end, function) of all code in here."""
        for child in die.iter_children():
            if child.tag == "DW_TAG_namespace":
                yield from self._functions(child)
            elif child.tag == "DW_TAG_subprogram":
                for begin, end in self._ranges(child):
                    yield begin, end, child

    def _covers(self, die: Any, address: int) -> bool:
        return die.tag in _CODE and any(a <= address < b for a, b in self._ranges(die))

    def _ranges(self, die: Any) -> Iterator[tuple[int, int]]:
        first, last = (die.attributes.get(f"DW_AT_{end}_pc") for end in ("low", "high"))
        if first and last:
            is_end = last.form.startswith("DW_FORM_addr")
            yield first.value, last.value if is_end else first.value + last.value
        ranges = die.attributes.get("DW_AT_ranges")
        if not ranges:
            return
        base = self._base
        for entry in self._dwarf.range_lists().get_range_list_at_offset(ranges.value, self._unit):
            if hasattr(entry, "base_address"):
                base = entry.base_address
            else:
                start = 0 if entry.is_absolute else base
                yield start + entry.begin_offset, start + entry.end_offset


def _name_of(die: Any) -> str:
    """The name of a function that was inlined; "" if it has none."""
    for _ in range(MAX_ORIGINS):
        for kind in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
            if kind in die.attributes:
                return str(die.attributes[kind].value.decode(errors="replace"))
        origin = next((kind for kind in _ORIGINS if kind in die.attributes), None)
        if origin is None:
            break
        die = die.get_DIE_from_attribute(origin)
    plain = die.attributes.get("DW_AT_name")
    return plain.value.decode(errors="replace") if plain else ""
