"""How much longer programs take under `gilscope races`: the ratio of two runs in turns.

    PYTHON tools/benchmarks/races_bench.py

Runs under the interpreter that it is started with, which needs gilscope. Prints a row a program:
seconds bare, seconds watched, ratio. `accesses` does nothing but read and write attributes and
items in a thread while another one waits; `outside` is code that is not watched.
"""

from __future__ import annotations

import json
import subprocess
import sys

REPEAT = 5
SETUP = """
import threading, time
def best(run, rounds=300):
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        found.append(time.perf_counter() - begin)
    return min(found)
def in_thread(run):
    over, result = threading.Event(), []
    waiting = threading.Thread(target=over.wait)
    working = threading.Thread(target=lambda: result.append(best(run)))
    waiting.start(); working.start(); working.join(); over.set(); waiting.join()
    print(result[0])
"""
PROGRAMS = {
    "accesses": SETUP
    + """
class Counter:
    def __init__(self):
        self.x, self.d = 0, {}
    def run(self):
        for i in range(1500):
            self.x += 1
            self.d[i & 7] = self.x
in_thread(Counter().run)
""",
    "outside": SETUP
    + """
import json
data = {"numbers": list(range(200)), "names": ["name %d" % i for i in range(200)]}
def run():
    json.JSONEncoder(indent=1).encode(data)
in_thread(run)
""",
}


def seconds(*command: str) -> float:
    """Run a program that prints how long it took."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=True
    )
    return float(done.stdout.split()[-1])


def row(name: str, code: str) -> dict[str, object]:
    """Measure one program, bare and watched in turns."""
    bare, watched = [], []
    for _ in range(REPEAT):
        bare.append(seconds("-c", code))
        watched.append(seconds("-m", "gilscope", "races", "-c", code))
    return {
        "program": name,
        "bare_s": min(bare),
        "watched_s": min(watched),
        "ratio": round(min(watched) / min(bare), 2),
    }


def main() -> None:
    """Print one row a program."""
    for name, code in PROGRAMS.items():
        print(json.dumps(row(name, code)), flush=True)


if __name__ == "__main__":
    main()
