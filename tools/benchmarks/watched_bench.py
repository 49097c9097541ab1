"""How much longer programs take under `gilscope races` and `lock-order`: the ratio of two runs.

    PYTHON tools/benchmarks/watched_bench.py races|lock-order

Runs under the interpreter that it is started with, which needs gilscope. Prints a row a program:
seconds bare, seconds watched, ratio. `accesses` does nothing but read and write attributes and
items in a thread while another one waits; `outside` is code that is not watched. `scheduler` passes
packets between objects of classes, as Richards does; `parser` is a parser of JSON in Python;
`callback` is examples/parallel_eval with a callback for each result. `acquisitions` takes and
releases a free lock about a million times a second, with other work between.
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

PROGRAMS["scheduler"] = (
    SETUP
    + """
class Packet:
    def __init__(self, link, ident, kind):
        self.link, self.ident, self.kind, self.datum, self.data = link, ident, kind, 0, [0] * 4
    def append_to(self, packets):
        self.link = None
        if packets is None:
            return self
        last = packets
        while last.link is not None:
            last = last.link
        last.link = self
        return packets
class Task:
    def __init__(self, number, scheduler):
        self.number, self.scheduler, self.queue, self.count = number, scheduler, None, 0
        self.holding = self.waiting = False
    def add(self, packet):
        self.queue = packet.append_to(self.queue)
        self.waiting = False
    def run(self):
        packet, self.queue = self.queue, self.queue.link if self.queue else None
        if packet is None:
            self.waiting = True
            return
        self.count += 1
        for i in range(4):
            packet.data[i] = (packet.data[i] + self.count) & 255
        packet.datum = (packet.datum + 1) % 26
        self.scheduler.send(packet, (self.number + packet.datum) % 6)
class Scheduler:
    def __init__(self):
        self.tasks = [Task(n, self) for n in range(6)]
        self.sent = 0
    def send(self, packet, number):
        self.sent += 1
        self.tasks[number].add(packet)
    def run(self):
        for n in range(6):
            self.send(Packet(None, n, "work"), n)
        while self.sent < 200:
            for task in self.tasks:
                if not task.waiting or task.queue is not None:
                    task.run()
in_thread(lambda: Scheduler().run())
"""
)
PROGRAMS["parser"] = (
    SETUP
    + """
import json
text = json.dumps([{"name": "n%d" % i, "values": [i, i * 2, None, True]} for i in range(12)])
class Parser:
    def __init__(self, text):
        self.text, self.at = text, 0
    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in " \\n":
            self.at += 1
    def value(self):
        self.skip()
        letter = self.text[self.at]
        if letter == "{":
            return self.members({}, "}")
        if letter == "[":
            return self.members([], "]")
        if letter == '"':
            end = self.text.index('"', self.at + 1)
            found, self.at = self.text[self.at + 1:end], end + 1
            return found
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in ",]} ":
            self.at += 1
        word = self.text[begin:self.at]
        return {"null": None, "true": True, "false": False}.get(word, word)
    def members(self, into, end):
        self.at += 1
        while True:
            self.skip()
            if self.text[self.at] == end:
                self.at += 1
                return into
            if self.text[self.at] == ",":
                self.at += 1
                continue
            if end == "]":
                into.append(self.value())
                continue
            key = self.value()
            self.skip()
            self.at += 1
            into[key] = self.value()
in_thread(lambda: Parser(text).value())
"""
)
PROGRAMS["callback"] = (
    SETUP
    + """
from parallel_eval import Evaluator
inputs = [2.5 + i / 1000 for i in range(500)]
def run():
    results = []
    Evaluator(2).lyapunov_map(inputs, callback=lambda i, x: results.append(x))
print(best(run, 20))
"""
)
LOCKS = {
    "acquisitions": SETUP
    + """
lock = threading.Lock()
def run():
    total = 0
    for i in range(2000):
        with lock:
            total += 1
        for j in range(20):
            total ^= j * i
in_thread(run)
""",
}


def seconds(*command: str) -> float:
    """Run a program that prints how long it took."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=True
    )
    return float(done.stdout.split()[-1])


def row(command: str, name: str, code: str) -> dict[str, object]:
    """Measure one program, bare and watched in turns."""
    bare, watched = [], []
    for _ in range(REPEAT):
        bare.append(seconds("-c", code))
        watched.append(seconds("-m", "gilscope", command, "-c", code))
    return {
        "program": name,
        "bare_s": min(bare),
        "watched_s": min(watched),
        "ratio": round(min(watched) / min(bare), 2),
    }


def main() -> None:
    """Print one row a program."""
    command = sys.argv[1]
    for name, code in (PROGRAMS if command == "races" else LOCKS).items():
        print(json.dumps(row(command, name, code)), flush=True)


if __name__ == "__main__":
    main()
