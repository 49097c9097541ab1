"""Traces of workers that were gone when the recording ended: killed, or closed before.

What a worker has recorded is in its file at once. Whoever sees the file may read it: this process,
or another worker on the host, such as the one that a nanny has put in the place of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gilscope.dask import worker as on_worker
from gilscope.dask.collecting import Collected, Member, collect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from distributed import Client


class Seen(NamedTuple):
    """What a worker said of itself when it began.

    Attributes:
        address: the worker's.
        name: what the cluster calls it.
        problem: why it does not record, or what is missing; "" if nothing.
        folder: where its traces are, on its host.
        clock: name of its clock.
        pid: of its process.
    """

    address: str
    name: str
    problem: str
    folder: str
    clock: str
    pid: int


def seen_by(client: Client, topic: str) -> list[Seen]:
    """Return all workers that ever began, each once: one that starts anew is another one."""
    events = client.get_events(topic)
    found = [Seen(*(one[name] for name in Seen._fields)) for _, one in events]
    named = [one._replace(name=one.name.rpartition("//")[2]) for one in found]
    return list(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Departed:
    """A process that is gone, with its traces.

    Attributes:
        member: whose they are.
        here: this process can read them itself.
    """

    member: Member
    here: bool

    def collect(self, run: Callable[..., dict[str, Any]], place: Path) -> list[Collected]:
        """Fetch them into a folder, which is made."""
        place.mkdir()
        return collect(_read_here if self.here else run, [self.member], place)

    def discard(self, run: Callable[..., dict[str, Any]]) -> None:
        """Remove them where they were written."""
        if self.here:
            on_worker.discard([self.member.folder])
        else:
            run(on_worker.discard, [self.member.folder], workers=[self.member.address])


def find(gone: Iterable[Seen], run: Callable[..., dict[str, Any]]) -> dict[str, Departed]:
    """Return folder → what is there of the workers that are gone.

    Args:
        gone: those; workers of one process have one folder.
        run: runs a function on all workers; returns the results by address.
    """
    by_folder: dict[str, list[Seen]] = {}
    for one in gone:
        if one.folder:
            by_folder.setdefault(one.folder, []).append(one)
    if not by_folder:
        return {}
    clock = on_worker.clock_name()
    own = [folder for folder, (one, *_) in by_folder.items() if one.clock == clock]
    found = {folder: ("", files) for folder, files in on_worker.left_behind(own).items()}
    rest = [folder for folder in by_folder if folder not in found]
    answers = run(on_worker.left_behind, rest) if rest else {}
    for address, folders in answers.items():
        found |= {folder: (address, files) for folder, files in folders.items()}
    return {
        folder: Departed(_member(by_folder[folder], address, files), not address)
        for folder, (address, files) in found.items()
        if files
    }


def _member(workers: Sequence[Seen], address: str, files: list[list[Any]]) -> Member:
    first = workers[0]
    names = [f"{one.name} (gone, process {one.pid})" for one in workers]
    sizes = [(name, size) for name, size in files]
    return Member(address or first.address, first.clock, names, first.folder, sizes)


def _read_here(
    _: object, wanted: dict[str, str], at: int, size: int, *, workers: Sequence[str]
) -> dict[str, bytes]:
    """Do what `collect` asks workers for: the files are on this host."""
    return {address: on_worker.read_piece(wanted[address], at, size) for address in workers}
