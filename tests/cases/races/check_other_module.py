# expect: check-then-act entries
"""The check and the act are functions of another module; nothing makes them one."""

import threading

from modules import registry


def work():
    for i in range(300):
        name = f"name {i}"
        if not registry.has(name):
            registry.put(name, object())


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
