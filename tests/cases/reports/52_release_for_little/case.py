import sys, threading

from bus import transmit

good = sys.argv[1:] == ["good"]


def send():
    for _ in range(150_000):
        transmit(not good)


threads = [threading.Thread(target=send, name=f"send-{i}") for i in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
