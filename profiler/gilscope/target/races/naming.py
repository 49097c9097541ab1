"""What the program calls its objects. Nothing of the program's code runs for it."""

from __future__ import annotations

import ast
import contextlib
import gc
import linecache
import sys
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

ATTRIBUTE, VALUE, INDEX, STRUCTURE, POSITION, IDENTITY, CELL = range(1, 8)
MOST_LOCALS = 16
MOST_KEY_LETTERS = 60
PLAIN = (str, int, float, bytes, bool, type(None))
_qualname = type.__dict__["__qualname__"]


@dataclass(frozen=True)
class Known:
    """An object as far as its name goes.

    Attributes:
        type_name: Qualified name of its class.
        name: The global variable that it is the value of, with its module; empty if none.
    """

    type_name: str
    name: str


@dataclass(frozen=True)
class Subject:
    """The variable of a candidate.

    Attributes:
        kind: ``ATTRIBUTE`` and so on: what tells it from other variables of its object.
        owner: Its object.
        own_name: What a class or a module is called itself, else empty.
        key: Text of its name, key or index; empty for the structure.
        locals: What the local variables of the function were, by name.
        is_library: Whether the library keeps it for itself, in one of its modules or classes.
    """

    kind: int
    owner: Known
    own_name: str
    key: str
    locals: dict[str, Known] = field(default_factory=dict)
    is_library: bool = False


def type_name(thing: object) -> str:
    """Return the qualified name of an object's class, whatever its metaclass does."""
    return str(_qualname.__get__(type(thing)))


def module_title(name: str) -> str:
    """Return what stands before the name of a module's variable."""
    return "" if name == "__main__" else name + "."


def global_name(thing: object) -> str:
    """Return the name of the global variable that has this value; empty if there is none."""
    modules: list[tuple[str, object]] = list(sys.modules.items())
    for name, module in modules:
        if not isinstance(module, ModuleType):  # programs put anything there
            continue
        for key, value in list(vars(module).items()):
            if value is thing and isinstance(key, str) and not key.startswith("__"):
                return module_title(name) + key
    return ""


def know(thing: object) -> Known:
    """Return what is known of an object's name."""
    return Known(type_name(thing), "" if isinstance(thing, PLAIN) else global_name(thing))


def own_name(thing: object) -> str:
    """Return what a class is called, or a module whose namespace this is."""
    if isinstance(thing, type):
        return str(_qualname.__get__(thing))
    if isinstance(thing, dict):
        for name, module in list(sys.modules.items()):
            if isinstance(module, ModuleType) and id(vars(module)) == id(thing):
                return module_title(name) or "__main__."
    return ""


def key_text(key: object) -> str:
    """Return a key as text without calling what the program may have written."""
    if type(key) in PLAIN:
        text = repr(key)
    elif type(key) is tuple:
        text = "(" + ", ".join(map(key_text, key)) + ")"
    else:
        text = f"<{type_name(key)}>"
    return text if len(text) <= MOST_KEY_LETTERS else text[:MOST_KEY_LETTERS] + "…"


def owner_of(namespace: dict[str, object]) -> object:
    """Return the object whose attributes are the items of this dict; the dict if none is found."""
    for one in gc.get_referrers(namespace):
        with contextlib.suppress(AttributeError, TypeError):
            if object.__getattribute__(one, "__dict__") is namespace:
                return one
    return namespace


def _is_kept_in(thing: object, module: dict[str, Any]) -> bool:
    """Whether a module's namespace is this thing, or keeps it there or in one of its classes."""
    if thing is module:
        return True
    name = module.get("__name__")
    for value in list(module.values()):
        if value is thing:
            return not isinstance(thing, type) or vars(thing).get("__module__") == name
        if not isinstance(value, type) or vars(value).get("__module__") != name:
            continue
        if any(one is thing for one in list(vars(value).values())):
            return True
    return False


def describe(
    thing: object, kind: int, key: object, frame: FrameType, *, is_library: bool = False
) -> Subject:
    """Return what is to be kept of a variable, at the moment when it is found.

    Args:
        thing: Its object.
        kind: ``ATTRIBUTE`` and so on.
        key: Its name, key or index.
        frame: What the thread that found it executes.
        is_library: Whether that is a part of the standard library which is watched.
    """
    local = {}
    with contextlib.suppress(Exception):  # the program's frame may be any
        for name, value in list(frame.f_locals.items())[:MOST_LOCALS]:
            if isinstance(name, str) and not isinstance(value, (PLAIN, ModuleType)):
                local[name] = know(value)
    if kind == ATTRIBUTE and type(thing) is dict:
        thing = owner_of(thing)
    text = "" if key is None and kind not in (VALUE, IDENTITY) else key_text(key)
    if kind in (ATTRIBUTE, CELL) and isinstance(key, str):
        text = key
    own = own_name(thing) if kind in (ATTRIBUTE, VALUE) else ""
    kept = is_library and _is_kept_in(thing, frame.f_globals)
    return Subject(kind, know(thing), own, text, local, kept)


# --- The words of the source ----------------------------------------------------------------------


def expression_at(code: CodeType, offset: int) -> ast.expr | None:
    """Return the expression or target that an instruction stands for; None where unknown."""
    positions = list(code.co_positions())
    if offset // 2 >= len(positions) or offset < 0:
        return None
    line, last, column, end = positions[offset // 2]
    if line is None or last is None or column is None or end is None:
        return None
    lines = [linecache.getline(code.co_filename, n) for n in range(line, last + 1)]
    if not all(lines):
        return None
    encoded = [text.encode() for text in lines]
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][column:]
    try:
        text = b"".join(encoded).decode()
        body = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return None
    return body


def container_at(code: CodeType, offset: int) -> ast.expr | None:
    """Return the expression whose value the instruction looks into or changes."""
    found = expression_at(code, offset)
    match found:
        case ast.Subscript(value=value) | ast.Attribute(value=value):
            return value
        case ast.Call(func=ast.Attribute(value=value), args=args):
            return value if not _is_function(found) else args[0]
        case ast.Call(args=[first, *_]):
            return _inner(first)
        case ast.Compare(comparators=comparators):
            return comparators[-1]
    return _inner(found) if found is not None else None


def _is_function(call: ast.Call) -> bool:
    """Whether it is a call such as heapq.heappush(items, item)."""
    name = call.func
    return (
        isinstance(name, ast.Attribute)
        and isinstance(name.value, ast.Name)
        and name.value.id == "heapq"
        and bool(call.args)
    )


def _inner(expression: ast.expr) -> ast.expr:
    """Return d of d.items(), iter(d) and the like."""
    match expression:
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "keys" | "values")):
            return value
        case ast.Call(func=ast.Name(id="iter" | "enumerate" | "reversed"), args=[first, *_]):
            return _inner(first)
        case ast.UnaryOp(operand=operand):
            return _inner(operand)
    return expression


def qualified(expression: ast.expr | None, local: dict[str, Known]) -> tuple[str, str]:
    """Return an expression as a name, and the global variable that it begins with if any.

    ``self.data`` becomes ``Cache.data``, and ``cache`` the global variable.
    """
    if isinstance(expression, ast.Subscript):  # an item of what has a name
        name, root = qualified(expression.value, local)
        return (f"{name}[{ast.unparse(expression.slice)}]" if name else ""), root
    if expression is None:
        return "", ""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return "", ""
    parts.reverse()
    known = local.get(expression.id)
    if known is None or not parts:
        return ".".join([expression.id, *parts]), ""
    return ".".join([known.type_name, *parts]), known.name


def variable(subject: Subject, code: CodeType, offset: int) -> str:
    """Return what the program calls a variable that this instruction uses."""
    owner = subject.owner
    if subject.kind == CELL:
        outer = code.co_qualname.rpartition(".<locals>")[0]
        return f"{outer}.{subject.key}" if outer else subject.key
    if subject.kind == ATTRIBUTE:
        if subject.own_name:
            return f"{subject.own_name}.{subject.key}"
        of = f" of {owner.name}" if owner.name else ""
        return f"{owner.type_name}.{subject.key}{of}"
    if subject.kind == VALUE and subject.own_name:
        module = "" if subject.own_name == "__main__." else subject.own_name
        return module + subject.key.strip("'")
    name, root = qualified(container_at(code, offset), subject.locals)
    of = f" of {root}" if root else ""
    if owner.name and (not name or "." not in name):
        name, of = owner.name, ""
    name = name or f"a {owner.type_name}"
    if subject.kind == POSITION:
        return f"{name} ({owner.type_name}){of}"
    key = f"[{subject.key}]" if subject.kind in (VALUE, INDEX, IDENTITY) else ""
    return f"{name}{key}{of}"


def sibling(subject: Subject, code: CodeType, offset: int) -> str:
    """Return the name of a variable of the same object, by what this instruction says."""
    found = expression_at(code, offset)
    if isinstance(found, ast.Attribute):
        return f"{subject.own_name or subject.owner.type_name}.{found.attr}"
    if isinstance(found, ast.Subscript):
        name, _ = qualified(found.value, subject.locals)
        return f"{name or subject.owner.name}[{ast.unparse(found.slice)}]"
    return found.id if isinstance(found, ast.Name) else subject.key


def lock_name(code: CodeType, offset: int) -> str:
    """Return what the program calls a lock that this instruction acquires."""
    found = expression_at(code, offset)
    if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute):
        found = found.func.value
    if found is None:
        return f"a lock acquired at {code.co_filename}"
    text = ast.unparse(found)
    owner, dot, _ = code.co_qualname.rpartition(".")
    if text.startswith("self.") and dot and not owner.endswith("<locals>"):
        return owner + text.removeprefix("self")
    return text
