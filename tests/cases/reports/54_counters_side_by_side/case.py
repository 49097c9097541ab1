import sys

from stats import count_all

good = sys.argv[1:] == ["good"]
count_all(2, 150_000_000, good)
print("finished")
