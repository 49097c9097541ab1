import sys, threading, time

good = sys.argv[1:] == ["good"]


class Bar:
    _lock = threading.RLock()
    shown = 0

    def update(self):
        if not self._lock.acquire(blocking=not good):
            return  # somebody else draws
        try:
            self.refresh()
        finally:
            self._lock.release()

    def refresh(self):
        time.sleep(0.002)  # a slow terminal
        self.shown += 1


bar = Bar()


def download():
    for _ in range(40):
        time.sleep(0.001)
        bar.update()


threads = [threading.Thread(target=download, name=f"download-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
