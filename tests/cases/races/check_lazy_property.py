# expect: check-then-act Document._words
"""A property computes on first use what two threads ask for."""

import threading


class Document:
    def __init__(self, text):
        self.text = text
        self._words = None

    @property
    def words(self):
        if self._words is None:
            self._words = self.text.split()
        return self._words


documents = [Document("a b c") for _ in range(200)]


def work():
    for document in documents:
        len(document.words)


threads = [threading.Thread(target=f) for f in (work, work)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
