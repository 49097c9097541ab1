"""The client of a cluster of several hosts: scheduler here, workers join by the network.

    python hosts.py ADDRESS PORT WORKERS TRACE

Prints what it knows as JSON: what tasks saw on their hosts' clocks.
"""

from __future__ import annotations

import asyncio
import json
import sys

import work
from distributed import Client, Scheduler

import gilscope

PATIENCE_S = 90


async def serve(address: str, port: int, ready: asyncio.Event) -> None:
    """Run the scheduler."""
    async with Scheduler(host=address, port=port, dashboard=False):
        ready.set()
        await asyncio.Event().wait()


def measure(client: Client, workers: int, trace: str) -> dict[str, object]:
    """Record tasks of all workers."""
    client.wait_for_workers(workers, timeout=PATIENCE_S)
    names = {place: one["name"] for place, one in client.scheduler_info()["workers"].items()}
    with gilscope.dask.profile(client, trace) as recorded:
        futures = {
            name: client.submit(work.stamp, key=f"stamp-{name}", workers=[place])
            for place, name in names.items()
        }
        stamps = client.gather(futures)
        kept = [
            client.submit(work.keep_gil, number, key=f"keep-{number}", workers=[max(names)])
            for number in range(4)
        ]
        client.gather(kept)
    return {
        "stamps": stamps,
        "keeper": names[max(names)],
        "workers": recorded.workers,
        "problems": recorded.problems,
        "error_ns": recorded.clock_error_ns,
        "start_ns": gilscope.open(trace).start_monotonic_ns,
    }


async def main() -> None:
    """Serve and measure."""
    address, port, workers, trace = sys.argv[1:]
    ready = asyncio.Event()
    server = asyncio.create_task(serve(address, int(port), ready))
    await ready.wait()

    def run() -> dict[str, object]:
        with Client(f"tcp://{address}:{port}") as client:
            return measure(client, int(workers), trace)

    print(json.dumps(await asyncio.to_thread(run)), flush=True)
    server.cancel()


asyncio.run(main())
