# expect: torn-pair latitude
"""Two globals that belong together."""

import threading

latitude = longitude = 0.0


def move():
    global latitude, longitude
    for i in range(200):
        latitude = i / 2
        longitude = i / 4


def look():
    for _ in range(200):
        (latitude, longitude)


threads = [threading.Thread(target=f) for f in (move, look)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
