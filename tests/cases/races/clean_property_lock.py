# expect: nothing
"""A property takes the lock; the callers see only an attribute."""

import threading


class Gauge:
    def __init__(self):
        self._value = 0
        self._lock = threading.Lock()

    def add(self, n):
        with self._lock:
            self._value += n

    @property
    def value(self):
        with self._lock:
            return self._value


gauge = Gauge()


def work():
    for _ in range(300):
        gauge.add(1)
        hash(gauge.value)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(gauge.value)
