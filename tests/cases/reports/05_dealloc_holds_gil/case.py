import sys, threading, time
import pinned

good = sys.argv[1:] == ["good"]
stop = False


def pin_loop():
    while not stop:
        batch = pinned.Buffer(good)
        time.sleep(0.002)
        del batch  # the last reference: the destructor runs here, in this thread


threading.Thread(target=pin_loop, name="pin").start()
steps = []
for _ in range(50):
    start = time.perf_counter()
    x = sum(range(2000))
    time.sleep(0.001)  # a training step: gives the GIL up and needs it back
    steps.append(time.perf_counter() - start)
stop = True
print(f"median step {sorted(steps)[25] * 1e3:.1f} ms, worst {max(steps) * 1e3:.1f} ms")
