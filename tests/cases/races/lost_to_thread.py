# expect: lost-update Progress.done
"""The event loop and a function in asyncio.to_thread() count in one object."""

import asyncio


class Progress:
    def __init__(self):
        self.done = 0
        self.is_over = False


progress = Progress()


def copy():
    while not progress.is_over:
        progress.done += 1


async def poll():
    for _ in range(300):
        progress.done += 1
        await asyncio.sleep(0)
    progress.is_over = True


async def main():
    await asyncio.gather(asyncio.to_thread(copy), poll())


asyncio.run(main())
print("done")
