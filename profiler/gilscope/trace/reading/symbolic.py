"""Numbers of compiled code as DWARF has them: known but for what a register holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DWARF_NUMBERS = [*"02137645", *map(str, range(8, 16))]
"""Of the registers of x86-64, in the order of the processor's own numbers."""

LONGEST_LEA = 7  # bytes
NEEDS_MORE = 4  # a register in an operand that says that another byte follows


class Symbolic(NamedTuple):
    """A number that is known but for what one thing holds.

    Attributes:
        base: number of the register; "entry N": what it held when the function was called; "":
            nothing is missing.
        offset: what is added to it.
        since: address at which the register must have held it already; 0: at the place asked for.
    """

    base: str
    offset: int
    since: int = 0


class Numbers:
    """Numbers in one compilation unit.

    Args:
        unit: of pyelftools.
        code: returns so many bytes of the program before an address.
    """

    def __init__(self, unit: Any, code: Callable[[int, int], bytes]) -> None:
        from elftools.dwarf.dwarf_expr import DWARFExprParser  # noqa: PLC0415 - loaded on demand

        self._expressions = DWARFExprParser(unit.structs)
        self._code = code

    def number(self, expression: Any, *, is_location: bool = False) -> Symbolic | None:
        """Return the value of an expression.

        Args:
            expression: bytes.
            is_location: it is a variable's, whose value stands there unless it says otherwise.
        """
        operations = list(self._expressions.parse_expr(expression))
        if not operations:
            return None
        first, *rest = operations
        name = first.op_name
        is_value = not is_location
        if name.startswith("DW_OP_reg") and name[9:].isdigit():
            found, is_value = Symbolic(name[9:], 0), True
        elif name.startswith("DW_OP_breg") and name[10:].isdigit():
            found = Symbolic(name[10:], first.args[0])
        elif name.endswith("entry_value") and len(first.args[0]) == 1:
            inner = first.args[0][0].op_name
            if not inner.startswith("DW_OP_reg"):
                return None
            found = Symbolic(f"entry {inner[9:]}", 0)
        elif name == "DW_OP_addr":
            found = Symbolic("", first.args[0])
        else:
            return None
        for operation in rest:
            if operation.op_name == "DW_OP_plus_uconst":
                found = Symbolic(found.base, found.offset + operation.args[0])
            elif operation.op_name == "DW_OP_stack_value":
                is_value = True
            else:
                return None
        return found if is_value else None

    def made_before(self, begin: int, register: str) -> Iterator[Symbolic]:
        """What a register is made of that has a variable from an address on.

        The instruction that ends there has written it: `lea offset(other), register`, or it is
        one that says no more.
        """
        raw = self._code(begin, LONGEST_LEA)
        for width, mode in ((1, 0x40), (4, 0x80)):
            size = 3 + width
            prefix, opcode, operands = raw[-size : 3 - size] if len(raw) >= size else bytes(3)
            target, other = operands >> 3 & 7, operands & 7
            is_lea = prefix & 0xFA == 0x48 and opcode == 0x8D and operands & 0xC0 == mode  # noqa: PLR2004 - REX.W 8D
            if not is_lea or other == NEEDS_MORE:
                continue
            target, other = target | (prefix & 4) << 1, other | (prefix & 1) << 3
            if DWARF_NUMBERS[target] == register and target != other:
                offset = int.from_bytes(raw[-width:], "little", signed=True)
                yield Symbolic(DWARF_NUMBERS[other], offset, begin)
