import gc, sys, threading, time

good = sys.argv[1:] == ["good"]
heap = [{"key": i} for i in range(200_000)]  # what the process holds anyway


def fetch():
    for _ in range(20):
        page = [[i] for i in range(100)]
        time.sleep(0.005)
        del page
        if not good:
            gc.collect()  # "to be on the safe side"


threads = [threading.Thread(target=fetch, name=f"fetch-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
if good:
    gc.collect()
print("finished")
