"""Native code by its name, from object files that are there."""

from __future__ import annotations

import struct
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gilscope.trace.reading import symbols
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.pack import pack
from trace_builder import SITE_FRAME, TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
namespace events {
struct Loop { void fire(int); };
__attribute__((noinline)) static int hidden(int n) {
    return n + 1;
}
void Loop::fire(int n) {
    volatile int kept = hidden(n);
    (void)kept;
}
}
extern "C" int plain(int n) { return n; }
"""

GUARD = """\
int outside(int);
struct Guard {
    __attribute__((always_inline)) Guard() { outside(1); }
    __attribute__((always_inline)) ~Guard() { outside(2); }
};
__attribute__((always_inline)) inline int twice(int n) {
    Guard guard;
    return outside(n) + outside(n);
}
"""

WRAPPED = """\
int outside(int);
struct Pump {
    int n;
    __attribute__((always_inline)) void tick() { n += outside(n); }
    __attribute__((always_inline)) void loop() { while (n < 9) tick(); }
};
namespace pybind11 {
template <class T> __attribute__((noinline)) void run(T& pump) { pump.loop(); }
template void run(Pump&);
}
"""

MEMBERS = """\
#include <mutex>
#include <pthread.h>
void work(int);
struct part { long n; pthread_mutex_t inner; };
struct queue {
    int before;
    pthread_mutex_t inner;
};
namespace events {
struct Loop { int n; std::mutex mutex_; void fire(int); };
void Loop::fire(int n) {
    std::lock_guard<std::mutex> guard(mutex_);
    work(n);
}
}
extern "C" void locked(struct queue *q) {
    pthread_mutex_lock(&q->inner);
    work(q->before);
}
void other(std::mutex &mutex) {
    std::lock_guard<std::mutex> guard(mutex);
    work(1);
}
"""

INLINING = """\
#include "guard.hpp"
namespace bank {
int deposit(int n, bool log) {
    if (log) {
        int seen = twice(n);
        if (seen > 1)
            n += twice(seen);
    }
    return n + outside(n);
}
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with symbols and debug information."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "loop.cpp").write_text(SOURCE)
    build("-g", folder)
    return folder / "libloop.so"


def build(option: str, folder: Path, *more: str) -> None:
    """Compile the library with more options."""
    command = [
        "g++",
        option,
        "-O1",
        *more,
        "-shared",
        "-fPIC",
        "-Wl,--build-id=sha1",
        "-o",
        "libloop.so",
    ]
    subprocess.run([*command, "loop.cpp"], cwd=folder, check=True)


def addresses(library: Path) -> dict[str, int]:
    """Symbol → address, as nm says."""
    command = ["nm", "--demangle", str(library)]  # from the path
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    split = (line.split(maxsplit=2) for line in lines)
    return {words[2]: int(words[0], 16) for words in split if len(words) == 3}


def build_id(library: Path) -> bytes:
    """Its build id, from the one note of that name."""
    data = library.read_bytes()
    head = struct.pack("<III", 4, 20, 3) + b"GNU\0"
    return data[data.index(head) + len(head) :][:20]


def test_function_and_line(library: Path) -> None:
    """A return address names the function, the file and the line of the call before it."""
    path, number = bytes(library), build_id(library)
    at = addresses(library)
    assert symbols.resolve(path, number, at["plain"] + 1) == symbols.Found(
        "plain", str(library.parent / "loop.cpp"), 11
    )
    fire = symbols.resolve(path, number, at["events::Loop::fire(int)"] + 2)
    assert (fire.function, fire.line) == ("events::Loop::fire(int)", 6)
    assert symbols.resolve(path, number, at["events::hidden(int)"] + 1).function == (
        "events::hidden(int)"
    )


@pytest.mark.parametrize("option", ["-gdwarf-4", "-gdwarf-5"])
def test_what_was_inlined_has_the_line_of_its_call(option: str, tmp_path: Path) -> None:
    """A function's line is one of its own, not of a header whose code the compiler put there."""
    (tmp_path / "guard.hpp").write_text(GUARD)
    (tmp_path / "loop.cpp").write_text(INLINING)
    build(option, tmp_path)
    library = tmp_path / "libloop.so"
    first = addresses(library)["bank::deposit(int, bool)"]
    found = {
        symbols.resolve(bytes(library), build_id(library), address)
        for address in range(first + 2, first + 256)
    }
    found = {place for place in found if place.function == "bank::deposit(int, bool)"}
    assert {place.file for place in found} == {str(tmp_path / "loop.cpp")}
    assert {5, 7} <= {place.line for place in found} <= set(range(3, 11))


@pytest.mark.parametrize("option", ["-gdwarf-4", "-gdwarf-5"])
def test_a_library_function_is_known_by_what_was_put_into_it(option: str, tmp_path: Path) -> None:
    """A thread's main function of the standard library is the program's own code, inlined."""
    (tmp_path / "loop.cpp").write_text(WRAPPED)
    build(option, tmp_path)
    library = tmp_path / "libloop.so"
    first = addresses(library)["void pybind11::run<Pump>(Pump&)"]
    found = {
        symbols.resolve(bytes(library), build_id(library), address)
        for address in range(first + 2, first + 64)
    }
    own = {place for place in found if place.function == "Pump::tick()"}
    assert {place.line for place in own} == {4}
    assert {place.file for place in own} == {str(tmp_path / "loop.cpp")}


@pytest.mark.parametrize("level", ["-O1", "-O2"])
@pytest.mark.parametrize("option", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize(
    ("function", "member", "line"),
    [
        ("events::Loop::fire(int)", "events::Loop::mutex_", 10),
        ("locked", "queue::inner", 7),
        ("other(std::mutex&)", "", 0),
    ],
)
def test_a_lock_that_is_a_member(  # noqa: PLR0917 - parametrized
    level: str, option: str, function: str, member: str, line: int, tmp_path: Path
) -> None:
    """A call locks a member of an object that a variable points to; all else stays unnamed."""
    (tmp_path / "loop.cpp").write_text(MEMBERS)
    build(option, tmp_path, "-pthread", level)
    library = tmp_path / "libloop.so"
    (call,) = calls_of_lock(library, function)
    found = symbols.resolve_member(bytes(library), build_id(library), call)
    file = str(tmp_path / "loop.cpp") if member else ""
    assert found == symbols.Found(member, file, line)


def calls_of_lock(library: Path, function: str) -> list[int]:
    """Return addresses of the calls of pthread_mutex_lock in a function."""
    command = ["objdump", "-d", "--no-show-raw-insn", "-C", str(library)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    body = text.partition(f"<{function}>:\n")[2].partition("\n\n")[0].splitlines()
    return [
        int(after.partition(":")[0], 16)
        for line, after in pairwise(body)
        if "pthread_mutex_lock" in line
    ]


def test_outside_of_all_functions(library: Path) -> None:
    """A place that no symbol reaches over has no name."""
    assert symbols.resolve(bytes(library), build_id(library), 8).function == ""
    assert symbols.resolve(bytes(library), build_id(library), 1 << 63).function == ""


def test_another_build(library: Path) -> None:
    """A file with another build id, or without one, gives no names."""
    address = addresses(library)["plain"] + 1
    assert symbols.resolve(bytes(library), bytes(20), address) == symbols.Found()
    assert symbols.resolve(bytes(library), b"", address) == symbols.Found()


def test_no_object_file(tmp_path: Path) -> None:
    """Files that are gone, no object files, or no files at all, say nothing."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "torn").write_bytes(b"\x7fELF\2\1\1" + bytes(20))
    for path in (b"/none", bytes(tmp_path), bytes(tmp_path / "text"), bytes(tmp_path / "torn")):
        assert symbols.resolve(path, bytes(20), 100) == symbols.Found()
    assert symbols.resolve(b"/x\0y", bytes(20), 100) == symbols.Found()


def test_without_debug_information(library: Path, tmp_path: Path) -> None:
    """A stripped library names what it exports, without a line."""
    (tmp_path / "loop.cpp").write_text(SOURCE)
    build("-s", tmp_path)
    stripped = tmp_path / "libloop.so"
    at = addresses(library)["plain"] + 1
    assert symbols.resolve(bytes(stripped), build_id(stripped), at).function in ("plain", "")
    assert symbols.resolve(bytes(stripped), build_id(stripped), at).file == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("main", "main"),
        ("_ZN6events4Loop4fireEi", "events::Loop::fire(int)"),
        ("_ZN6events4Loop4fireEi.cold", "events::Loop::fire(int)"),
        ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
        ("_Zgarbage", "_Zgarbage"),
    ],
)
def test_demangle(name: str, shown: str) -> None:
    """Names are as in the source, without what compilers add."""
    assert symbols.demangle(name) == shown


def trace_of(library: Path, folder: Path) -> Path:
    """A trace with a stack in the library, of which nothing is resolved."""
    builder = TraceBuilder()
    module = builder.module(str(library), build_id=build_id(library))
    site = builder.site(module, addresses(library)["plain"] + 1)
    stack = builder.stack((site | SITE_FRAME, 0))
    builder.wait(builder.thread(), builder.lock("native_mutex"), 0, 10, stack=stack)
    return builder.write(folder / "x.gilscope")


def test_sites_are_looked_up(library: Path, tmp_path: Path) -> None:
    """A trace's stacks have names and lines that the trace itself does not say."""
    trace = read(trace_of(library, tmp_path))
    (frame,) = trace.stacks[int(trace.intervals.stack[0])]
    assert (frame.name, frame.line) == ("plain", 11)


def test_packed_trace_is_portable(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packed trace keeps what was looked up, for machines that do not have the library."""
    original = trace_of(library, tmp_path)
    pack(original, tmp_path / "p.gilscope")
    monkeypatch.setattr("gilscope.trace.reading.place_tables.resolve", lambda *_: symbols.Found())
    assert [site.name for site in read(original).sites.values()] != ["plain"]
    (site,) = read(tmp_path / "p.gilscope").sites.values()
    assert (site.function, site.line) == ("plain", 11)
    assert site.file == str(library.parent / "loop.cpp")
