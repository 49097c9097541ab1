"""What is said of threads that wait for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.runner.deadlock import describe
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_frames_of_what_ran_the_program_are_left_out(tmp_path: Path) -> None:
    """Also those of another environment: each has a copy of it, in a directory of its own."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    own = "gilscope.target.worker.program"
    frames = [
        builder.code("<module>", "hang.py", 1, "__main__"),
        builder.code("run_as_main", "/other/site-packages/gilscope/program.py", 1, own),
        builder.code("<module>", "<string>", 1, "__main__"),
    ]
    stack = builder.stack(*((code, 3) for code in frames))
    builder.wait(main, builder.lock("thread_lock", address=0x10), 100, stack=stack)
    trace = read(builder.write(tmp_path / "t.gilscope", end=False))
    _, stacks = describe(trace)
    assert 'File "hang.py", line 3, in <module>' in stacks
    assert "run_as_main" not in stacks
    assert "<string>" not in stacks
