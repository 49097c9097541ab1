# expect: nothing
"""asyncio.to_thread returns what a thread has made."""

import asyncio


class Result:
    def __init__(self):
        self.n = 0


def make(i):
    r = Result()
    for _ in range(i):
        r.n += 1
    return r


async def main():
    total = 0
    for r in await asyncio.gather(*(asyncio.to_thread(make, i) for i in range(20))):
        r.n += 1
        total += r.n
    print(total)


asyncio.run(main())
