import sys, threading, time

import ndi

good = sys.argv[1:] == ["good"]
receiver = ndi.Receiver()
receive = receiver.receive_politely if good else receiver.receive


def capture():
    for _ in range(10):
        receive(30)


thread = threading.Thread(target=capture, name="capture")
thread.start()
while thread.is_alive():  # the window of the program, which is to stay responsive
    sum(range(1000))
    time.sleep(0.002)
print("finished")
