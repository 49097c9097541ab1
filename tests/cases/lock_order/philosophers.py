# expect: fork
"""Five philosophers who take the left fork first."""

import threading


forks = [threading.Lock() for _ in range(5)]


def dine(place):
    with forks[place]:
        with forks[(place + 1) % 5]:
            pass


threads = [threading.Thread(target=dine, args=(place,)) for place in range(5)]
for thread in threads:
    thread.start()
    thread.join(0.02)
for thread in threads:
    thread.join()
