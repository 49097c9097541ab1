# expect: nothing
"""Two loops in two threads, each with state of its own in closures."""

import asyncio
import threading

results = {}


def work(name):
    count = 0

    async def step():
        nonlocal count
        now = count
        await asyncio.sleep(0)
        count = max(count, now) + 1

    async def main():
        await asyncio.gather(*(step() for _ in range(30)))
        return count

    results[name] = asyncio.run(main())


threads = [threading.Thread(target=work, args=(n,)) for n in "ab"]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(results))
