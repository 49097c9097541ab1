import io, logging, sys, threading, time

good = sys.argv[1:] == ["good"]


class Device:
    def __str__(self):
        time.sleep(0.001)  # asks something slow
        return "device"


log = logging.getLogger("devices")
log.setLevel(logging.INFO)
log.addHandler(logging.StreamHandler(io.StringIO()))
log.propagate = False


def scan():
    device = Device()
    for _ in range(50):
        if good:
            log.info("found %s", str(device))  # formatted before the handler's lock is taken
        else:
            log.info("found %s", device)


threads = [threading.Thread(target=scan, name=f"scan-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
