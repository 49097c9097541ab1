# expect: nothing
"""Five philosophers, the lower fork first."""

import threading


forks = [threading.Lock() for _ in range(5)]


def dine(place):
    first, second = sorted((place, (place + 1) % 5))
    with forks[first]:
        with forks[second]:
            pass


threads = [threading.Thread(target=dine, args=(place,)) for place in range(5)]
for thread in threads:
    thread.start()
    thread.join(0.02)
for thread in threads:
    thread.join()
