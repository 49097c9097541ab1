# expect: lost-update hits
"""asyncio's run_in_executor: a global is counted up by worker threads."""

import asyncio

hits = 0


def handle():
    global hits
    hits += 1


async def main():
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, handle) for _ in range(20)))


asyncio.run(main())
print("done")
