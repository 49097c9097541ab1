# expect: nothing
"""A tree whose parents are locked before their children."""

import threading


class Node:
    def __init__(self, *children):
        self.lock = threading.Lock()
        self.children = children

    def visit(self):
        with self.lock:
            for child in self.children:
                child.visit()


leaves = [Node(), Node()]
root = Node(Node(leaves[0]), Node(leaves[1]))
other = Node(leaves[1], leaves[0])


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(root.visit, other.visit)
