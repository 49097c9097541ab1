import sys, threading, time

good = sys.argv[1:] == ["good"]
shared = threading.Lock()
barrier = threading.Barrier(2)


def poll():
    lock = threading.Lock() if good else shared
    barrier.wait()
    for _ in range(10_000_000):
        lock.locked()  # never taken: nobody ever waits


threads = [threading.Thread(target=poll, name=f"poll-{i}") for i in range(2)]
start = time.perf_counter()
[t.start() for t in threads]
[t.join() for t in threads]
print(f"{time.perf_counter() - start:.2f} s")
