import ctypes, sys, threading, time

good = sys.argv[1:] == ["good"]
usleep = (ctypes.CDLL if good else ctypes.PyDLL)(None).usleep  # a binding that forgot `nogil`
stop = False


def stream():  # the I/O library: each operation is short, but keeps the GIL
    while not stop:
        usleep(8_000)


threading.Thread(target=stream, name="stream").start()
time.sleep(0.05)
start = time.perf_counter()
done = 0
while time.perf_counter() - start < 1:
    sum(range(2000))
    done += 1
stop = True
print(done, "units of work in a second")
