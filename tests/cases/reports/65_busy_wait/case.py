import sys, threading

good = sys.argv[1:] == ["good"]


def convert():
    for _ in range(3000):
        sum(range(2000))


thread = threading.Thread(target=convert, name="convert")
thread.start()
if good:
    thread.join()
else:
    while thread.is_alive():
        pass
print("finished")
