# expect: state
"""Coroutine result with lock."""

import asyncio, threading, time

state = threading.Lock()
loop = asyncio.new_event_loop()
t = threading.Thread(target=loop.run_forever)
t.start()


async def job():
    with state:
        return 1


f = asyncio.run_coroutine_threadsafe(job(), loop)
time.sleep(0.2)
with state:
    f.result()
loop.call_soon_threadsafe(loop.stop)
t.join()
