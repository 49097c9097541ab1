import sys, threading, time

good = sys.argv[1:] == ["good"]


class Codes:
    def __init__(self):
        self.cache_lock = threading.RLock()
        self.cache = {}

    def get(self, key):
        if good and key in self.cache:  # what is there needs no lock
            return self.cache[key]
        with self.cache_lock:
            if key not in self.cache:
                time.sleep(0.001)  # asks the database
                self.cache[key] = key
            if not good:
                time.sleep(0.0005)  # checks how old it is
            return self.cache[key]


codes = Codes()
for key in range(20):
    codes.get(key)


def serve():
    for number in range(100):
        codes.get(number % 20)


threads = [threading.Thread(target=serve, name=f"serve-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
