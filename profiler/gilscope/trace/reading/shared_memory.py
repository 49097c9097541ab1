"""Shared memory in the metadata of a trace; what is not as it should be there is left out."""

from __future__ import annotations

from typing import Any

from gilscope.text import time_text
from gilscope.trace.model.shared_memory import Pools, PoolThread, SharedMemory, Sharer
from gilscope.trace.reading.hangs import number, text

MOST_PERIOD_NS = 1_000_000_000


def read_shared_memory(
    metadata: dict[str, Any], start_monotonic_ns: int
) -> tuple[SharedMemory, ...]:
    """Return what the metadata tells of."""
    found = metadata.get("shared_memory")
    if not isinstance(found, list):
        return ()
    return tuple(_one(entry, start_monotonic_ns) for entry in found if isinstance(entry, dict))


def read_pools(metadata: dict[str, Any]) -> Pools:
    """Return the threads of pools that the metadata tells of."""
    found = metadata.get("pools")
    threads = (
        PoolThread(number(one.get("tid")), text(one.get("pool")), number(one.get("samples")))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict)
    )
    return Pools(tuple(threads))


def not_sampled(metadata: dict[str, Any]) -> dict[str, str]:
    """Return what was not measured, and why, as `Trace.not_measured` has it."""
    rested = number(metadata.get("not_sampled_ns"))
    if not rested:
        return {}
    reason = (
        f"not sampled for {time_text(rested)} or more, in which threads changed on the processors "
        "more than 1,000 times a second: at each change it would cost 13 µs more"
    )
    return {"cache lines that threads share": reason}


def _one(one: dict[str, Any], start_ns: int) -> SharedMemory:
    return SharedMemory(
        text(one.get("kind")),
        text(one.get("name")),
        one.get("counted") is True,
        number(one.get("address")),
        tuple(_functions(one.get("functions"))),
        min(number(one.get("period_ns")), MOST_PERIOD_NS),
        max(number(one.get("first_monotonic_ns")) - start_ns, 0),
        max(number(one.get("last_monotonic_ns")) - start_ns, 0),
        tuple(_sharers(one.get("threads"))),
    )


def _functions(value: object) -> list[tuple[str, str]]:
    pairs = value if isinstance(value, list) else []
    return [(text(pair[0]), text(pair[1])) for pair in pairs if isinstance(pair, list) and pair[1:]]


def _sharers(value: object) -> list[Sharer]:
    found = []
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            lines = one.get("python")
            line = text(lines[0]) if isinstance(lines, list) and lines else ""
            samples, total = number(one.get("samples")), number(one.get("of"))
            found.append(Sharer(number(one.get("tid")), samples, total, line))
    return found
