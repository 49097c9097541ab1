# expect: check-then-act cache
"""A coroutine looks into a cache and fills it; two loops."""

import asyncio
import threading

cache = {}


async def get(key):
    if key not in cache:
        await asyncio.sleep(0)
        cache[key] = key * 2
    return cache[key]


async def main():
    await asyncio.gather(*(get(i) for i in range(40)))


def work():
    asyncio.run(main())


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
