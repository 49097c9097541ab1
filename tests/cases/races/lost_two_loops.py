# expect: lost-update shared
"""Two event loops in two threads use one dict."""

import asyncio
import threading

shared = {"requests": 0}


async def handle():
    shared["requests"] += 1
    await asyncio.sleep(0)


async def main():
    await asyncio.gather(*(handle() for _ in range(50)))


threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
