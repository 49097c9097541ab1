# expect: nothing
"""threading.local: each thread has its own attribute."""

import threading

local = threading.local()


def work():
    local.n = 0
    for _ in range(500):
        local.n += 1


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
