# expect: nothing
"""Every thread has objects of its own with a cached property."""

import functools
import threading


class Page:
    def __init__(self, text):
        self.text = text

    @functools.cached_property
    def words(self):
        return self.text.split()


def work(n):
    for i in range(50):
        page = Page(f"{n} {i}")
        len(page.words), len(page.words)


threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
