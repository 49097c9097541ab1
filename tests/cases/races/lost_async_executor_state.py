# expect: lost-update Stats.bytes
"""Methods in an executor add to what the loop adds to as well."""

import asyncio


class Stats:
    def __init__(self):
        self.bytes = 0


stats = Stats()


def read(n):
    for _ in range(20):
        stats.bytes += n


async def main():
    jobs = [asyncio.to_thread(read, n) for n in range(4)]
    await asyncio.gather(*jobs)


asyncio.run(main())
print("done")
