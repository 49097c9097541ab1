# expect: check-then-act Plugin.loaded
"""ThreadPool.imap: loads once, by a flag."""

from multiprocessing.pool import ThreadPool


class Plugin:
    def __init__(self):
        self.loaded = False

    def load(self):
        if not self.loaded:
            self.loaded = True


plugins = [Plugin() for _ in range(20)]


def load_all(_):
    for plugin in plugins:
        plugin.load()


with ThreadPool(2) as pool:
    list(pool.imap(load_all, range(8)))
print("done")
