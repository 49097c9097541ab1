# expect: iteration rooms
"""An asynchronous generator goes over a dict that a thread changes."""

import asyncio
import threading

rooms = {i: i for i in range(50)}


async def each():
    for room in rooms.copy() and rooms:
        yield room
        await asyncio.sleep(0)


async def main():
    try:
        async for _ in each():
            pass
    except RuntimeError:
        pass


def change():
    for i in range(100, 200):
        rooms[i] = i


thread = threading.Thread(target=change)
thread.start()
asyncio.run(main())
thread.join()
print("done")
