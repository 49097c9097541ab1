import multiprocessing, sys, threading, time

method = "spawn" if sys.argv[1:] == ["good"] else "fork"
lock = threading.Lock()  # a connection pool, a cache, a logger of one's own


def refresh():
    while True:
        with lock:
            time.sleep(0.02)
        time.sleep(0.001)


def child(n):
    with lock:
        return n * n


if __name__ == "__main__":
    threading.Thread(target=refresh, name="refresh", daemon=True).start()
    time.sleep(0.05)
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(pool.map(child, range(4)))
