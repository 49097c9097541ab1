# expect: nothing
"""A loop in a thread of its own; others give it work by run_coroutine_threadsafe."""

import asyncio
import threading

loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever)
thread.start()
state = {}


async def bump(key):
    value = state.get(key, 0)
    await asyncio.sleep(0)
    state[key] = state.get(key, 0) + 1
    return value


def work():
    for i in range(20):
        asyncio.run_coroutine_threadsafe(bump(i % 3), loop).result()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
print(sum(state.values()))
