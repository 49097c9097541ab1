import sys
import session

good = sys.argv[1:] == ["good"]
for number in range(100):
    session.set_handler(bytearray(64), good)  # each time, the last one's last reference goes
print("finished")
