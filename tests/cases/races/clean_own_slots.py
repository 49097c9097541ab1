# expect: nothing
"""Each thread writes its own key of one dict and its own index of one list."""

import threading

by_name = {}
by_index = [0] * 4


def work(n):
    by_name[n] = 0
    for i in range(300):
        by_name[n] += i
        by_index[n] += 1


threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sum(by_index))
