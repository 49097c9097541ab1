# expect: Node.lock
"""One way goes down the tree, the other one up."""

import threading


class Node:
    def __init__(self, parent=None):
        self.lock = threading.Lock()
        self.parent = parent
        self.children = []
        if parent is not None:
            parent.children.append(self)

    def visit(self):
        with self.lock:
            for child in self.children:
                child.visit()

    def mark(self):
        with self.lock:
            if self.parent is not None:
                self.parent.mark()


root = Node()
leaf = Node(root)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(root.visit, leaf.mark)
