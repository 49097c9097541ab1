# expect: nothing
"""What to_thread gives back is put together in the loop."""

import asyncio

totals = {}


def square(n):
    return {"n": n, "square": n * n}


async def one(n):
    row = await asyncio.to_thread(square, n)
    row["seen"] = True
    totals[n] = totals.get(n, 0) + row["square"]


async def main():
    await asyncio.gather(*(one(n) for n in range(30)))


asyncio.run(main())
print(sum(totals.values()))
