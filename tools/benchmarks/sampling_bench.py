"""What a recorded program pays for samples of its threads' instructions: processor time.

    python sampling_bench.py --rounds N --out DIRECTORY

Two threads compute in native code for about a second of processor time each. Runs with the samples
and without them (`--on-hang off`) take turns. Prints one JSON object: {"sampled" | "unsampled":
[seconds a round]}.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import hashlib, threading, time
def work():
    hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 1_500_000)
threads = [threading.Thread(target=work) for _ in range(2)]
begin = time.process_time()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(time.process_time() - begin)
"""
PATIENCE_S = 120


def run(trace: Path, *options: str) -> float:
    """Record the program; return its processor time."""
    command = [sys.executable, "-m", "gilscope", "run", "-o", str(trace), *options]
    done = subprocess.run(
        [*command, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return float(done.stdout.split()[0])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    trace = options.out / "sampled.gilscope"
    found: dict[str, list[float]] = {"sampled": [], "unsampled": []}
    for _ in range(options.rounds):
        found["unsampled"].append(run(trace, "--on-hang", "off"))
        found["sampled"].append(run(trace))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
