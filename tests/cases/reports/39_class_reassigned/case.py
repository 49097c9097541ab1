import sys, threading

good = sys.argv[1:] == ["good"]


class Draft:
    pass


class Final:
    pass


def render():
    kept = []
    for _ in range(3_000):
        node = Final() if good else Draft()
        node.value = 1
        kept.append(node)
        if not good:
            node.__class__ = Final  # stops all threads for a moment
        for _ in range(50):
            node.value += 1


threads = [threading.Thread(target=render, name=f"render-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
