# expect: torn-pair Quote
"""A coroutine writes bid and ask, a thread reads both."""

import asyncio
import threading


class Quote:
    def __init__(self):
        self.bid = 0
        self.ask = 1


quote = Quote()


async def feed():
    for i in range(100):
        quote.bid = i
        quote.ask = i + 1
        await asyncio.sleep(0)


def watch():
    for _ in range(100):
        quote.ask - quote.bid


thread = threading.Thread(target=watch)
thread.start()
asyncio.run(feed())
thread.join()
print("done")
