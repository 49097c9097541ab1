# expect: nothing
"""asyncio.Lock and Event in one loop, results of an executor."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


async def main():
    lock = asyncio.Lock()
    store = {"sum": 0}
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(3) as pool:

        async def one(n):
            value = await loop.run_in_executor(pool, pow, n, 2)
            async with lock:
                now = store["sum"]
                await asyncio.sleep(0)
                store["sum"] = now + value

        await asyncio.gather(*(one(n) for n in range(20)))
    return store["sum"]


print(asyncio.run(main()))
