import sys, threading

good = sys.argv[1:] == ["good"]
context = threading.local()
barrier = threading.Barrier(2)


def work():
    mine = threading.local() if good else context
    mine.value = 1
    barrier.wait()
    for _ in range(10_000_000):
        mine.value


threads = [threading.Thread(target=work, name=f"work-{i}") for i in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
