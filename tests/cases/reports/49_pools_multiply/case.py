import os, sys, threading

processors = len(os.sched_getaffinity(0))
good = sys.argv[1:] == ["good"]
os.environ["OMP_NUM_THREADS"] = "1" if good else str(2 * processors)

from product import product

threads = [threading.Thread(target=product, args=(120, 250)) for _ in range(processors)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
