import sys, threading, time

good = sys.argv[1:] == ["good"]
lock = threading.Lock()
loaded = threading.Event()
table = {}


def importer():  # background thread that loads what others announce
    time.sleep(0.1)
    with lock:
        table["actor"] = object()
    loaded.set()


def get():
    if good:
        loaded.wait()
    with lock:
        if "actor" not in table:
            loaded.wait()  # with the lock that the importer needs
        return table["actor"]


threading.Thread(target=importer, name="importer").start()
print(get())
