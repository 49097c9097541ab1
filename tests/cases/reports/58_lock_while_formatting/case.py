import sys, threading

import sink

good = sys.argv[1:] == ["good"]
log = sink.Sink()
done = False


def report():
    while not done:
        log.write("x")


class Error:
    def __str__(self):
        return str(list(range(200)))


reporter = threading.Thread(target=report, name="report")
reporter.start()
log.write_from_thread(Error(), 20_000 if not good else 200, good)
done = True
reporter.join()
print("finished")
