# expect: nothing
"""Each thread writes its part, a barrier, then each reads its neighbour's part and adds to it."""

import threading

N = 3
parts = [[0] for _ in range(N)]
barrier = threading.Barrier(N)


def work(n):
    for _ in range(50):
        parts[n][0] += 1
        barrier.wait()
        parts[(n + 1) % N][0] += 1
        barrier.wait()


threads = [threading.Thread(target=work, args=(n,)) for n in range(N)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(parts)
