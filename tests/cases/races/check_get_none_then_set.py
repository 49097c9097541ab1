# expect: check-then-act Registry.entries
"""Value by get(), made and stored where it is None."""

import threading


class Registry:
    def __init__(self):
        self.entries = {}

    def entry(self, name):
        found = self.entries.get(name)
        if found is None:
            found = [name]
            self.entries[name] = found
        return found


registry = Registry()


def work():
    for i in range(200):
        registry.entry(i)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
