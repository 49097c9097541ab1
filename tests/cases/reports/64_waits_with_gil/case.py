import sys, threading
import operations

good = sys.argv[1:] == ["good"]
pool = operations.Pool(2)
ready = []


def answer():  # gives operations back, for which it needs the GIL
    for _ in range(20):
        pool.take_finished(ready.append)


thread = threading.Thread(target=answer, name="answer", daemon=not good)
thread.start()
for number in range(20):
    pool.begin(number, good)  # waits until one of two operations is free
thread.join()
print("finished")
