import os, sys, tempfile, threading, time

good = sys.argv[1:] == ["good"]
with tempfile.TemporaryFile() as file:
    file.write(b"x" * (4 << 20))
    file.flush()
    stop = False

    def task():  # user code in a worker thread: pure Python
        while not stop:
            sum(i * i for i in range(1000))

    if not good:
        threading.Thread(target=task, name="task").start()
        time.sleep(0.05)
    start = time.perf_counter()
    for _ in range(
        100
    ):  # the I/O thread: each read (from the page cache) gives the GIL up for some 500 us
        os.pread(file.fileno(), 4 << 20, 0)
    took = time.perf_counter() - start
    stop = True
print(f"{took / 100 * 1e3:.2f} ms for each read that does not block")
