# expect: lost-update Jobs.done
"""asyncio.to_thread of a short method."""

import asyncio


class Jobs:
    done = 0

    def run(self, n):
        self.done += n


async def main():
    jobs = Jobs()
    await asyncio.gather(*(asyncio.to_thread(jobs.run, n) for n in range(20)))
    return jobs.done


print(asyncio.run(main()) > 0)
