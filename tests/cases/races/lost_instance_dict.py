# expect: lost-update hits
"""One thread adds to an attribute, another one to the same place through __dict__."""

import threading


class Page:
    def __init__(self):
        self.hits = 0


page = Page()


def plain():
    for _ in range(300):
        page.hits += 1


def through_dict():
    for _ in range(300):
        page.__dict__["hits"] += 1


threads = [threading.Thread(target=f) for f in (plain, through_dict)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
