import gc, sys, threading, time
import spin

wait = spin.wait_for_nogil if sys.argv[1:] == ["good"] else spin.wait_for


def early():
    wait(2)


def late():
    time.sleep(0.1)
    gc.collect()  # or an import that turns the GIL on: wants all other threads to stand still
    wait(2)


threads = [threading.Thread(target=f, name=f.__name__) for f in (early, late)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
