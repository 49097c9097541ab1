# expect: nothing
"""A thread hands results to an event loop by call_soon_threadsafe."""

import asyncio
import threading


class State:
    def __init__(self):
        self.n = 0


async def main():
    loop = asyncio.get_running_loop()
    state = State()
    done = asyncio.Event()

    def add(item):
        item.n += 1
        state.n += item.n
        if state.n >= 100:
            done.set()

    def work():
        for _ in range(100):
            item = State()
            item.n += 0
            loop.call_soon_threadsafe(add, item)

    t = threading.Thread(target=work)
    t.start()
    await done.wait()
    t.join()
    print(state.n)


asyncio.run(main())
