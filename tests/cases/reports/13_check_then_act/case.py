import sys, threading

good = sys.argv[1:] == ["good"]


class Cache:
    def __init__(self, size):
        self.size, self.data, self.lock = size, {}, threading.Lock()

    def put(self, key, value):
        if good:
            with self.lock:
                self.unlocked(key, value)
        else:
            self.unlocked(key, value)

    def unlocked(self, key, value):
        if len(self.data) >= self.size:
            del self.data[next(iter(self.data))]  # two threads choose the same oldest key
        self.data[key] = value


cache = Cache(8)
errors = []


def use(base):
    for i in range(500_000):
        try:
            cache.put(base + i, i)
        except (KeyError, RuntimeError, StopIteration) as error:
            errors.append(error)


threads = [threading.Thread(target=use, args=(n << 32,)) for n in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
print(
    len(errors),
    "errors,",
    len(cache.data),
    "entries of at most 8;",
    {type(e).__name__ for e in errors} or "",
)
