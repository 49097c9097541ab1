# expect: lost-update words
"""d[k] = d.get(k, 0) + 1 from two threads."""

import threading

words = {}


def count(text):
    for word in text.split():
        words[word] = words.get(word, 0) + 1


text = "to be or not to be " * 50
threads = [threading.Thread(target=count, args=(text,)) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
