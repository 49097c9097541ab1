# expect: nothing
"""A coroutine changes its state between calls that run in threads."""

import asyncio

state = {"rounds": 0}


def compute(values):
    return [v * 2 for v in values]


async def main():
    loop = asyncio.get_running_loop()
    values = [1]
    for _ in range(30):
        values = await loop.run_in_executor(None, compute, values)
        state["rounds"] += 1
        values.append(state["rounds"])


asyncio.run(main())
print(state["rounds"])
