import sys
import progress

log = []
progress.process(log, sys.argv[1:] == ["good"])
print(len(log), "steps")
