import sys, threading

good = sys.argv[1:] == ["good"]
counter = 0


def increment():
    global counter
    mine = 0
    for _ in range(300_000):
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
