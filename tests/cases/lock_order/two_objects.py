# expect: Node.data Node.index
"""Each half with an object of its own: one object has both."""

import threading


class Node:
    def __init__(self):
        self.data = threading.Lock()
        self.index = threading.Lock()

    def write(self):
        with self.data:
            with self.index:
                pass

    def search(self):
        with self.index:
            with self.data:
                pass


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


one, other = Node(), Node()
run(one.write, other.search)
