# expect: nothing
"""The main thread polls is_alive() and reads after join()."""

import threading
import time

result = {}


def work():
    result["n"] = 0
    for i in range(100):
        result["n"] += i


t = threading.Thread(target=work)
t.start()
while t.is_alive():
    time.sleep(0.001)
t.join()
result["n"] += 1
print(result["n"])
