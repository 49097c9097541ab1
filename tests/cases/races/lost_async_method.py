# expect: lost-update Hub.sent
"""Methods that are coroutines, run by loops of two threads."""

import asyncio
import threading


class Hub:
    def __init__(self):
        self.sent = 0

    async def load(self):
        return self.sent

    async def send(self):
        sent = await self.load()
        self.sent = sent + 1


hub = Hub()


async def main():
    for _ in range(50):
        await hub.send()


def work():
    asyncio.run(main())


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
