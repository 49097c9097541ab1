import sys, threading

good = sys.argv[1:] == ["good"]
results = {}
BULK = {i: i for i in range(100_000)}


def work(number):
    bulk = dict(BULK)
    mine = {}
    table = mine if good else results
    for _ in range(40):
        table.update(bulk)  # 100,000 entries under the table's own lock
    if good:
        results[number] = mine


threads = [threading.Thread(target=work, args=(i,), name=f"work-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(results), "entries")
