import sys, threading, time
import engine

good = sys.argv[1:] == ["good"]
stop = False


def loop():
    while not stop:
        engine.compute()


thread = threading.Thread(target=loop, name="loop", daemon=True)
thread.start()
time.sleep(0.2)
if good:
    stop = True
    thread.join()
print("main ends")
