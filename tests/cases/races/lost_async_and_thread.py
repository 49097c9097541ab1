# expect: lost-update stats
"""A loop counts, and a thread beside it counts, too."""

import asyncio
import threading

stats = {"seen": 0}


def beside():
    for _ in range(100):
        stats["seen"] += 1


async def main():
    for _ in range(100):
        stats["seen"] += 1
        await asyncio.sleep(0)


thread = threading.Thread(target=beside)
thread.start()
asyncio.run(main())
thread.join()
print("done")
