import sys
import queue_worker

queue_worker.Worker().run(sys.argv[1:] == ["good"])
print("finished")
