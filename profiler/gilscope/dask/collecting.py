"""Traces from workers to the client, piece by piece, by the cluster's own connections."""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from gilscope.config import TRACE_SUFFIX
from gilscope.dask import worker as on_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PIECE = 4 << 20
"""Bytes that are asked for at a time; they are compressed on the way."""

AT_ONCE = 8
"""Workers that are asked at the same time: all of their pieces are in memory together."""

NOTHING = zlib.compress(b"")


@dataclass(slots=True)
class Member:
    """A process with workers, and the traces in it.

    Attributes:
        address: of a worker that can read them: one of its own, or of one beside it.
        clock: name of its clock.
        names: of its workers.
        folder: where they are.
        files: name and size in bytes of each trace: its own, and those of its children.
        problems: what is missing, in lines.
    """

    address: str
    clock: str
    names: list[str]
    folder: str
    files: list[tuple[str, int]]
    problems: list[str] = field(default_factory=list)

    @property
    def who(self) -> str:
        """What people call it."""
        return f"worker{'s' * (len(self.names) > 1)} {', '.join(self.names)}"


@dataclass(slots=True)
class Collected:
    """A trace that has arrived.

    Attributes:
        path: the file here.
        process: what its process is called.
        member: whose it is.
    """

    path: Path
    process: str
    member: Member


def collect(
    run: Callable[..., dict[str, Any]], members: Sequence[Member], place: Path
) -> list[Collected]:
    """Fetch the traces of all members, which have different addresses.

    Args:
        run: runs a function with arguments on ``workers``; returns its results by address, without
            the workers that failed.
        members: whose; one that is lost on the way gets a problem.
        place: a folder for the files.
    """
    found: list[Collected] = []
    for number in range(max((len(member.files) for member in members), default=0)):
        for group in batched(
            (one for one in members if len(one.files) > number), AT_ONCE, strict=False
        ):
            paths = [place / f"{len(found) + at}{TRACE_SUFFIX}" for at in range(len(group))]
            _fetch(run, number, dict(zip(paths, group, strict=True)))
            for path, member in zip(paths, group, strict=True):
                if path.stat().st_size:
                    found.append(Collected(path, _process(member, number), member))
                else:
                    path.unlink()
    return found


def _fetch(run: Callable[..., dict[str, Any]], number: int, files: dict[Path, Member]) -> None:
    """Fetch the file with a number of several members, all at the same time."""
    with ExitStack() as closing:
        outs = {
            member.address: (closing.enter_context(path.open("wb")), member)
            for path, member in files.items()
        }
        wanted = {
            member.address: f"{member.folder}/{member.files[number][0]}"
            for member in files.values()
        }
        at = 0
        while outs:
            answers = run(on_worker.piece, wanted, at, PIECE, workers=list(outs))
            at += PIECE
            for address, (out, member) in list(outs.items()):
                size = member.files[number][1]
                out.write(zlib.decompress(answers.get(address) or NOTHING))
                if out.tell() < min(at, size):
                    lost = f"{size - out.tell():,} bytes of its trace are missing"
                    member.problems.append(f"was gone while its trace was collected: {lost}")
                if out.tell() < at:
                    del outs[address]


def _process(member: Member, number: int) -> str:
    """Return what the process of a file is called: children have their process id in its name."""
    child = member.files[number][0].removesuffix(TRACE_SUFFIX).partition(".")[2]
    return f"{member.who}, process {child}" if child else member.who
