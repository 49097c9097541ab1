# expect: lost-update state
"""A dataclass is replaced by a changed copy, without a lock."""

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class State:
    done: int = 0
    failed: int = 0


state = State()


def work():
    global state
    for _ in range(300):
        state = replace(state, done=state.done + 1)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
