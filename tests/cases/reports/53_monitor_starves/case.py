import sys, threading, time

import fused

good = sys.argv[1:] == ["good"]
done = threading.Event()


def monitor():  # writes the progress, and would notice a hang
    while not done.wait(0.02):
        pass


watcher = threading.Thread(target=monitor, name="monitor")
watcher.start()
for _ in range(6):
    (fused.polite_layer_norm if good else fused.layer_norm)(0.15)
done.set()
watcher.join()
print("finished")
