import itertools, sys, threading

good = sys.argv[1:] == ["good"]
N = 3_000_000
source = iter(range(N))
lock = threading.Lock()
taken = [[] for _ in range(2)]


def consume(mine):
    while True:
        if good:
            with lock:
                item = next(source, None)
        else:
            item = next(source, None)  # "atomic": it is one C call
        if item is None:
            return
        mine.append(item)


threads = [
    threading.Thread(target=consume, args=(m,), name=f"consumer-{i}") for i, m in enumerate(taken)
]
[t.start() for t in threads]
[t.join() for t in threads]
items = list(itertools.chain(*taken))
print(f"{len(items) - len(set(items))} items handed out twice, {N - len(set(items))} lost")
