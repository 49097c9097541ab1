"""What explains hangs reads code objects, stacks and reports as they are, and takes no harm."""

from __future__ import annotations

import _json
import dis
import json
import json.decoder
import os
import select
import threading
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from gilscope.runner import py_spy
from gilscope.target.hangs.elf import Image
from gilscope.target.hangs.interpreter import PythonFrame
from gilscope.target.hangs.locations import handler_at, line_at
from gilscope.target.hangs.native_stacks import NativeFrame
from gilscope.target.hangs.picture import Picture, Thread, is_probes
from gilscope.target.hangs.process import KernelWait, NoProcessError, Process, Task, kernel_wait
from gilscope.target.hangs.trigger import request
from gilscope.target.hangs.unwinding import NoRuleError, find_rule
from gilscope.trace.reading.hangs import read_hangs

if TYPE_CHECKING:
    from collections.abc import Iterator


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def test_the_frame_that_makes_an_object_is_none_of_the_program() -> None:
    """CPython puts it between a class and its __init__; one of the program has a file."""
    assert PythonFrame(1, 2, "__init__", "__init__", 0, 0).is_shim
    assert not PythonFrame(1, 2, "/app/x.py", "__init__", 3, 0).is_shim


PROBE, LIBC = "/env/lib/gilscope/_probe.so", "/lib/libc.so.6"


@pytest.mark.parametrize(
    ("name", "paths", "own"),
    [
        ("gilscope", (LIBC, PROBE, LIBC), True),
        ("gilscope", (LIBC, PROBE, "/app/native.so", LIBC), False),
        ("gilscope", (LIBC,), False),
        ("python3.13", (LIBC, PROBE, LIBC), False),  # just started
    ],
)
def test_the_probes_own_thread_is_told_by_its_name_and_its_code(
    name: str,
    paths: tuple[str, ...],
    own: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A thread of the program that is in the probe only for now is one of the program."""
    task = Task(7, name, "S", KernelWait(), (0, 0), 0, 0)
    frames = [NativeFrame(1, path, "", 0, 0, 1) for path in paths]
    assert is_probes(Thread(7, "a thread", task, native=frames)) == own


MODULES = [json.decoder]
CODES = [
    one
    for module in MODULES
    for one in codes(compile(Path(module.__file__ or "").read_text(), "m", "exec"))
]


def test_lines_are_those_of_the_code() -> None:
    """For every instruction of some modules."""
    for code in CODES:
        for begin, end, line in code.co_lines():
            for at in range(begin, end, 2):
                assert line_at(code.co_linetable, code.co_firstlineno, at) == (line or 0)


def test_handlers_are_those_of_the_code() -> None:
    """With the depth of the stack, as dis shows them."""
    for code in CODES:
        for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined]
            found = handler_at(code.co_exceptiontable, entry.start)
            assert found == (entry.target, entry.depth)


def test_a_thread_that_sleeps_is_unwound_to_its_beginning() -> None:
    """A thread of this process: its Python frames, and native ones down to the first."""
    done, begun = threading.Event(), threading.Event()

    def sleeper() -> None:
        begun.set()
        done.wait()

    thread = threading.Thread(target=sleeper, name="sleeper")
    thread.start()
    begun.wait()
    try:
        with Process(os.getpid()) as process:
            picture = Picture(process)
            (found,) = [t for t in picture.threads.values() if t.tid == thread.native_id]
    finally:
        done.set()
        thread.join()
    assert found.name == "sleeper"
    assert [f.name.rpartition(".")[2] for f in found.python][:3] == ["wait", "wait", "sleeper"]
    assert not found.attached
    if os.uname().machine == "x86_64":
        symbols = [frame.symbol for frame in found.native]
        assert "_PyEval_EvalFrameDefault" in symbols
        assert "thread_run" in symbols[-4:] or len(symbols) > 10


def test_a_process_that_is_not_there_is_said_in_one_line() -> None:
    """As an error of gilscope."""
    with pytest.raises(NoProcessError, match="no process has the id"):
        Process(1 << 22)


def test_the_kernels_words_are_read() -> None:
    """A thread that runs, one outside of a call, one in a futex, one that joins another."""
    assert not kernel_wait("running\n").asleep
    assert kernel_wait("-1 0x10 0x20").sp == 0x10
    wait = kernel_wait("202 0x1000 0x80 0x2 0x0 0x0 0x0 0x7f00 0x7f01")
    assert (wait.futex, wait.timed, wait.locks, wait.joined) == (0x1000, False, True, 0)
    wait = kernel_wait("202 0x1000 0x109 0x4d2 0x0 0x0 0x0 0x7f00 0x7f01")
    assert (wait.joined, wait.locks) == (1234, False)


def test_damaged_tables_give_no_rule() -> None:
    """Whatever stands in them, there is a rule or there is none."""
    image = Image(_json.__file__)
    start = image.offset(image.unwinding)
    address = image.address_of("PyInit__json")
    data = bytes(image.data)
    find_rule(image, address)
    for step in range(200):
        broken = bytearray(data)
        at = start + 12 + step * 97 % 6000
        broken[at : at + 8] = bytes((step * 31 + i) & 255 for i in range(8))
        image.data = bytes(broken)  # type: ignore[assignment]
        try:
            find_rule(image, address)
        except NoRuleError:
            continue


def test_reports_of_another_shape_are_left_out() -> None:
    """Metadata may hold anything."""
    good = {"kind": "deadlock", "pid": 1, "headline": "deadlock: x", "threads": [{"tid": 2}, 3]}
    for bad in (None, {}, [1], [{"kind": 3}], [{"kind": "other"}]):
        assert read_hangs({"hangs": bad}, 0) == ()
    (hang,) = read_hangs({"hangs": [good, 7]}, 0)
    assert (hang.kind, hang.pid, len(hang.threads)) == ("deadlock", 1, 1)


def test_what_py_spy_says_may_be_anything() -> None:
    """Then there are no stacks, and a reason."""
    for text in ("", "{}", "[3]", '[{"os_thread_id": 3}]'):
        assert py_spy.parse(text)[0] == {}
    frame = {"filename": "a.py", "line": 3, "name": "f"}
    assert py_spy.parse(json.dumps([{"os_thread_id": 7, "frames": [frame]}])) == (
        {7: [("a.py", 3, "f")]},
        "",
    )


@pytest.mark.parametrize("threads", [1, 8])
def test_a_request_for_a_snapshot_is_written_at_once(threads: int) -> None:
    """However deep the stacks are: a pipe takes so many bytes wholly, or none."""
    frames = [("/home/someone/programs/with/long/names/module.py", 1000, "Class.method")] * 60
    about = {"name": "t", "doing": "t waits", "python": frames, "native": [], "mixed": []}
    report = {"kind": "long-wait", "headline": "t waits", "threads": [about] * threads}
    line = request(report)
    assert len(line) <= select.PIPE_BUF
    assert line[:1] == b"s"
    assert line.count(b"\n") == 1
    shown = json.loads(line[1:])["threads"]
    assert len(shown) == threads
    assert all(one["python"] for one in shown)
    assert request(None) == b"s\n"
