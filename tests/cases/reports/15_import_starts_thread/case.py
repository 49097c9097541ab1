import sys
import plugin

if sys.argv[1:] == ["good"]:
    plugin.start()
print("finished", plugin.ready)
