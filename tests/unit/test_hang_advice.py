"""What to do about threads that wait for each other."""

from __future__ import annotations

import pytest

from gilscope.target.hangs.explain import advice_on_waits
from gilscope.target.hangs.picture import Thread, Wait
from gilscope.target.hangs.process import KernelWait, Task


def waiting(kind: str, *, attached: bool = False) -> Thread:
    """Return a thread that waits."""
    task = Task(7, "t", "S", KernelWait(), (0, 0), 0, 0)
    return Thread(7, "t", task, attached=attached, wait=Wait(kind, "something"))


@pytest.mark.parametrize(
    ("kept", "others", "advice"),
    [
        ("mutex", ["gil", "join"], "Release the GIL before native code takes the lock, or unlock"),
        ("join", ["gil"], "Release the GIL around the join"),
        ("join", ["pause"], "Release the GIL around the join"),
        ("spin", ["pause"], "Detach (Py_BEGIN_ALLOW_THREADS)"),
        ("lock", ["lock"], "Take the locks in the same order"),
    ],
)
def test_the_advice_is_for_who_keeps_the_gil(kept: str, others: list[str], advice: str) -> None:
    """Not for a thread that only joins one of those that hang."""
    told = [waiting(kept, attached=True), *map(waiting, others)]
    assert advice_on_waits(told).startswith(advice)
