import sys, threading
import unrar

good = sys.argv[1:] == ["good"]
done = False


def progress():  # Python code beside it
    while not done:
        sum(range(1000))


thread = threading.Thread(target=progress, name="progress")
thread.start()
unrar.derive_key(200, good)
done = True
thread.join()
print("finished")
