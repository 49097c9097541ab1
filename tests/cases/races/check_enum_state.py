# expect: check-then-act Job.state
"""A state machine with an enum: only one thread may start the job."""

import enum
import threading
from concurrent.futures import ThreadPoolExecutor, wait


class State(enum.Enum):
    NEW = 1
    RUNNING = 2


class Job:
    def __init__(self):
        self.state = State.NEW

    def start(self):
        if self.state is not State.NEW:
            return False
        self.state = State.RUNNING
        return True


jobs = [Job() for _ in range(100)]


def start_all():
    return sum(job.start() for job in jobs)


with ThreadPoolExecutor(2) as pool:
    wait([pool.submit(start_all) for _ in range(2)])
print("done")
