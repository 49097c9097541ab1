"""Hangs in the metadata of a trace; whatever is not as it should be there is left out."""

from __future__ import annotations

from typing import Any

from gilscope.trace.model.hangs import LONG_WAIT, Hang, HungThread

KINDS = ("deadlock", "hang-abandoned-lock", "hang-spinning", LONG_WAIT)


def read_hangs(metadata: dict[str, Any], start_monotonic_ns: int) -> tuple[Hang, ...]:
    """Return the hangs that the metadata tells of."""
    found = metadata.get("hangs")
    if not isinstance(found, list):
        return ()
    hangs = (_hang(one, start_monotonic_ns) for one in found if isinstance(one, dict))
    return tuple(hang for hang in hangs if hang is not None)


def _hang(one: dict[str, Any], start_monotonic_ns: int) -> Hang | None:
    kind = text(one.get("kind"))
    if kind not in KINDS:
        return None
    threads = one.get("threads")
    return Hang(
        kind,
        number(one.get("pid")),
        text(one.get("headline")),
        text(one.get("advice")),
        one.get("suspected") is True,
        max(number(one.get("monotonic_ns")) - start_monotonic_ns, 0),
        tuple(_thread(t) for t in threads if isinstance(t, dict))
        if isinstance(threads, list)
        else (),
    )


def _thread(one: dict[str, Any]) -> HungThread:
    return HungThread(
        number(one.get("tid")),
        text(one.get("doing")),
        _frames(one.get("python")),
        _frames(one.get("native")),
        one.get("stuck") is True,
    )


def _frames(value: object) -> tuple[tuple[str, int, str], ...]:
    frames = []
    for frame in value if isinstance(value, list) else ():
        match frame:
            case [str(file), int(line), str(name)]:
                frames.append((text(file), line, text(name)))
            case _:
                continue
    return tuple(frames)


def text(value: object) -> str:
    """Text that can be printed: JSON may carry halves of surrogate pairs."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def number(value: object) -> int:
    """A number that is not negative; 0 for anything else."""
    return value if type(value) is int and 0 <= value < 1 << 63 else 0
