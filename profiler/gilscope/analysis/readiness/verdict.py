"""The verdict on an extension module: what turns the GIL on, and what is unsafe without it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.analysis.readiness import rules
from gilscope.demangling import demangle
from gilscope.severity import Severity

if TYPE_CHECKING:
    from gilscope.analysis.readiness.extension import Extension, Variable

TAG = re.compile(r"\.(cpython-(\d)(\d+)(t?)d?-[^.]*|abi3(t?))\.so$")
POINTER = 8
MACHINERY = re.compile(
    r"^(__|_?completed|_edata|_end|DW\.ref|_ZT|_ZGV|__pyx_(k|mstate|moduledef|methods|type|string_tab)"
    r"|_ZZN\d*8pybind11|_ZN8pybind11|_ZN8nanobind|_ZN3std|_ZN4core|_ZN5alloc)"
)
"""Variables of compilers, runtimes and bindings, which look after them."""
DEFINITION = re.compile(
    r"(module_?def|moduledef|methods|(^|_)def|definition|slots|kwlist|getset|members|_spec|_type|Type)\d*(\.\d+)?$"
)
"""Tables that are filled before threads see them, as extensions write them."""


@dataclass(frozen=True)
class Remark:
    """One remark.

    Attributes:
        kind: ``gil``, ``borrowed``, ``unsafe-api``, ``static`` or ``libc-state``.
        severity: High: it turns the GIL on. Medium: unsafe by itself. Low: to be looked at.
        symbol: The function or variable; the module's name for ``gil``.
        why: What is wrong with it.
        advice: What to do.
    """

    kind: str
    severity: Severity
    symbol: str
    why: str
    advice: str

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return {
            "kind": self.kind,
            "severity": str(self.severity),
            "symbol": self.symbol,
            "why": self.why,
            "advice": self.advice,
        }


@dataclass(frozen=True)
class Verdict:
    """The verdict on one file."""

    extension: Extension
    loads_in: str
    remarks: tuple[Remark, ...]

    @property
    def ready(self) -> str:
        """``yes``, ``no``, or ``unknown``: the file does not say.

        Many declare that they can do without the GIL only when they are built for an interpreter
        without it, and some by code that runs when they are imported.
        """
        if not self.extension.modules:
            return "yes"
        build = build_of(self.extension.path.name)
        if build == "abi3" or self.extension.gil == "used":
            return "no"
        if self.extension.gil == "not used":
            return "yes"
        return "unknown" if build == "gil" or self.extension.gil == "set at run time" else "no"

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "file": str(self.extension.path),
            "modules": list(self.extension.modules),
            "loads_in": self.loads_in,
            "gil": self.extension.gil,
            "ready": self.ready,
            "names_of_variables": self.extension.variables is not None,
            "remarks": [one.as_json() for one in self.remarks],
        }


def judge(extension: Extension) -> Verdict:
    """Return the verdict on a file."""
    remarks = [
        *_gil(extension),
        *_imports(extension, "borrowed", rules.BORROWED, rules.WHY_BORROWED, Severity.MEDIUM),
        *_imports(extension, "unsafe-api", rules.UNSAFE, rules.WHY_UNSAFE, Severity.MEDIUM),
        *_imports(extension, "libc-state", rules.STATEFUL, rules.WHY_STATEFUL, Severity.MEDIUM),
        *(_static(one) for one in extension.variables or () if _is_own(one)),
    ]
    return Verdict(extension, loads_in(extension.path.name), tuple(remarks))


def build_of(name: str) -> str:
    """Return the kind of interpreter that a file's name is for: gil, ft, abi3, abi3t; or any."""
    found = TAG.search(name)
    if found is None:
        return "any"
    if found[1].startswith("abi3"):
        return "abi3t" if found[5] else "abi3"
    return "ft" if found[4] else "gil"


def loads_in(name: str) -> str:
    """Return which interpreters can load a file of this name."""
    build = build_of(name)
    found = TAG.search(name)
    if found is None or build == "any":
        return "any with the binary interface that it was built for: the name does not say which"
    if build.startswith("abi3"):
        return {
            "abi3": "those with the GIL (abi3); a free-threaded one does not look for it",
            "abi3t": "3.15 and later, with the GIL and without (abi3t)",
        }[build]
    return f"{found[2]}.{found[3]}, {'without the GIL' if build == 'ft' else 'with the GIL'}"


def _gil(extension: Extension) -> list[Remark]:
    build = build_of(extension.path.name)
    why, advice, severity = rules.WHY_GIL, rules.DO_GIL, Severity.HIGH
    if extension.gil == "used":
        why = rules.WHY_USED
    elif build == "abi3":
        why, advice = rules.WHY_ABI3, rules.DO_ABI3
    elif extension.gil == "set at run time":
        why, advice, severity = rules.WHY_RUN_TIME, rules.DO_RUN_TIME, Severity.LOW
    elif extension.gil == "not declared" and build == "gil":
        why, advice, severity = rules.WHY_UNKNOWN, rules.DO_UNKNOWN, Severity.LOW
    elif extension.gil != "not declared":
        return []
    return [Remark("gil", severity, ", ".join(extension.modules), why, advice)]


def _imports(
    extension: Extension, kind: str, table: dict[str, str], why: str, severity: Severity
) -> list[Remark]:
    names = sorted(extension.imports & table.keys())
    return [Remark(kind, severity, name, why, f"Use {table[name]}.") for name in names]


def _is_own(variable: Variable) -> bool:
    name = variable.name
    return not MACHINERY.search(name) and not DEFINITION.search(name)


def _static(variable: Variable) -> Remark:
    what = f"{demangle(variable.name)} ({variable.size} bytes in {variable.section})"
    why = rules.WHY_STATIC
    if variable.size == POINTER:
        why += "; it may be a pointer to an object"
    return Remark("static", Severity.LOW, what, why, rules.DO_STATIC)
