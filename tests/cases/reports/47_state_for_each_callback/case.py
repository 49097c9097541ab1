import sys
import backward

backward.backward(lambda: None, sys.argv[1:] == ["good"])
print("finished")
