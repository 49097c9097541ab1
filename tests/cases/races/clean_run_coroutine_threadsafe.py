# expect: nothing
"""Threads ask a loop in a thread of its own, which alone touches the state."""

import asyncio
import threading


class Bank:
    def __init__(self):
        self.total = 0
        self.by_name = {}


bank = Bank()
loop = asyncio.new_event_loop()


async def deposit(name, order):
    await asyncio.sleep(0)
    bank.total += order["amount"]
    if name not in bank.by_name:
        bank.by_name[name] = 0
    bank.by_name[name] += order["amount"]
    order["total"] = bank.total
    return order


def work(name):
    for i in range(50):
        order = {"amount": i}
        done = asyncio.run_coroutine_threadsafe(deposit(name, order), loop).result()
        done["total"] += 1
        order["amount"] += 1


server = threading.Thread(target=loop.run_forever)
server.start()
threads = [threading.Thread(target=work, args=(n,)) for n in "abc"]
for t in threads:
    t.start()
for t in threads:
    t.join()
loop.call_soon_threadsafe(loop.stop)
server.join()
loop.close()
print(bank.total)
