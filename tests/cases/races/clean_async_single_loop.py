# expect: nothing
"""Many coroutines of one loop share a dict without a lock; a thread only waits."""

import asyncio
import threading

state = {"n": 0}


async def step():
    n = state["n"]
    state["n"] = n + 1
    await asyncio.sleep(0)


async def main():
    await asyncio.gather(*(step() for _ in range(50)))


threads = [threading.Thread(target=lambda: None) for _ in range(2)]
for t in threads:
    t.start()
asyncio.run(main())
for t in threads:
    t.join()
print(state["n"])
