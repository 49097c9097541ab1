# expect: iteration generator
"""Two threads advance one generator in for loops."""

import threading


def numbers():
    for i in range(3000):
        yield i


source = numbers()


def work():
    try:
        for item in source:
            hash(item)
    except ValueError:
        pass


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
