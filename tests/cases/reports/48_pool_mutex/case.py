import sys
import pool

pool.Pool().run(sys.argv[1:] == ["good"])
print("finished")
