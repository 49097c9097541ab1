"""What a server under load pays for being recorded all the time: uvicorn, FastAPI, a ring.

    python server_bench.py --rounds N --seconds S

The load comes from this process, the server is another one. Windows with the recorder and without
take turns in one server. Prints one JSON object:
{route: {"bare" | "ring": {"requests": [a second, a value a round], "p50": […], "p99": […],
"processor": […]}}}; latencies, and the server's processor time a request, are in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CONNECTIONS = 8
ROUTES = {"threads": "/threads/ada", "loop": "/loop/ada"}
WARM_UP_S = 1.0
PATIENCE_S = 60


class Connection(asyncio.Protocol):
    """Asks again as soon as the answer is there."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        """Remember what to ask."""
        self._request, self._latencies = request, latencies
        self._data, self._begin = b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again if that was all."""
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode(errors="replace"))
        _, _, rest = head.lower().partition(b"content-length:")
        if len(body) >= int(rest.partition(b"\r\n")[0]):
            self._latencies.append(time.perf_counter() - self._begin)
            self._ask()

    def close(self) -> None:
        """Ask no more."""
        if self._transport is not None:
            self._transport.abort()

    def _ask(self) -> None:
        self._data, self._begin = b"", time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)


def processor_clock(pid: int) -> int:
    """Return the clock of the processor time of a process, as clock_getcpuclockid(3) does."""
    return (~pid << 3) | 2


async def window(port: int, path: str, seconds: float, clock: int) -> dict[str, float]:
    """Ask for a while from several connections; return requests a second, and times."""
    latencies: list[float] = []
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, latencies), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    begin = time.perf_counter()
    latencies.clear()
    busy = time.clock_gettime(clock)
    await asyncio.sleep(seconds)
    took, found = time.perf_counter() - begin, latencies.copy()
    busy = time.clock_gettime(clock) - busy
    for _, connection in made:
        connection.close()
    *_, p99 = statistics.quantiles(found, n=100)
    figures = {"requests": len(found) / took, "processor": busy / len(found)}
    return figures | {"p50": statistics.median(found), "p99": p99}


def post(port: int, path: str) -> None:
    """Tell the server something."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_S):  # noqa: S310 - see above
        pass


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not start: pip install fastapi uvicorn")


def measure(server: int, port: int, rounds: int, seconds: float, trace: Path) -> dict[str, object]:
    """Return the figures of all windows."""
    clock = processor_clock(server)
    figures: dict[str, dict[str, dict[str, list[float]]]] = {}
    for route, path in ROUTES.items():
        asyncio.run(window(port, path, WARM_UP_S, clock))
        mine = figures[route] = {name: {} for name in ("bare", "ring")}
        for number in range(rounds):
            for name in ("bare", "ring") if number % 2 == 0 else ("ring", "bare"):
                if name == "ring":
                    post(port, f"/recorder/on?path={trace}")
                found = asyncio.run(window(port, path, seconds, clock))
                for figure, value in found.items():
                    mine[name].setdefault(figure, []).append(value)
                if name == "ring":
                    post(port, "/recorder/off")
    return figures


def main() -> None:
    """Serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "uvicorn", "server_app:app", "--port", str(port)]
    words += ["--log-level", "warning", "--app-dir", str(Path(__file__).parent)]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            trace = Path(folder) / "ring.gilscope"
            print(json.dumps(measure(server.pid, port, options.rounds, options.seconds, trace)))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
