import sys, threading

good = sys.argv[1:] == ["good"]
counter = 0
# Under the GIL threads that compute take turns, which is another fault, and grows with the run.
rounds = 200_000 if sys._is_gil_enabled() else 2_000_000


def increment():
    global counter
    mine = 0
    for _ in range(rounds):
        if good:
            mine += 1
        else:
            counter += 1
    if good:
        counter += mine


threads = [threading.Thread(target=increment, name=f"increment-{i}") for i in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
