import os, socket, subprocess, sys, threading, time

import journal

good = sys.argv[1:] == ["good"]
ours, daemons = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
# The daemon is slow: it reads a record each 20 ms.
slow = "import os, time\nwhile os.read(0, 1 << 16): time.sleep(0.02)"
daemon = subprocess.Popen([sys.executable, "-c", slow], stdin=daemons)
daemons.close()
stop = False


def log():
    for _ in range(30):
        journal.send_record(ours.fileno(), bytes(1 << 16), good)


def serve():
    while not stop:
        sum(range(200))
        time.sleep(0.001)


server = threading.Thread(target=serve, name="serve")
server.start()
logger = threading.Thread(target=log, name="log")
logger.start()
logger.join()
stop = True
server.join()
ours.close()
daemon.wait()
print("finished")
