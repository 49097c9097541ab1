import sys, threading
import modules

good = sys.argv[1:] == ["good"]
stop = False


def busy():  # Python code that the callbacks have to wait for
    while not stop:
        sum(range(1000))


if not good:
    threading.Thread(target=busy, name="busy").start()
modules.Modules().run(lambda: None, good)
stop = True
print("finished")
