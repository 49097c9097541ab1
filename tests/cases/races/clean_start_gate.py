# expect: nothing
"""Threads wait behind a gate; what was prepared comes before."""

import threading

gate = threading.Condition()
ready = False
data = []


def work():
    with gate:
        while not ready:
            gate.wait()
    sum(data)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for i in range(100):
    data.append(i)
with gate:
    ready = True
    gate.notify_all()
for t in threads:
    t.join()
data.clear()
print("done")
