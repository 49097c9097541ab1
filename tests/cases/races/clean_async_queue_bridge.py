# expect: nothing
"""A thread puts rows into an asyncio queue by call_soon_threadsafe."""

import asyncio
import threading


async def main():
    loop = asyncio.get_running_loop()
    rows = asyncio.Queue()

    def feed():
        for i in range(50):
            row = {"i": i}
            loop.call_soon_threadsafe(rows.put_nowait, row)
        loop.call_soon_threadsafe(rows.put_nowait, None)

    thread = threading.Thread(target=feed)
    thread.start()
    total = 0
    while (row := await rows.get()) is not None:
        row["i"] += 1
        total += row["i"]
    thread.join()
    return total


print(asyncio.run(main()))
