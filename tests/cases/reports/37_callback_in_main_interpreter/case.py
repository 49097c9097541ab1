import sys
import _interpreters

good = sys.argv[1:] == ["good"]
PLUGIN = f"""
import sys
sys.path[:] = {sys.path!r}
import events
count = 0
def on_event():
    global count
    count += 1
events.subscribe(on_event, {good})
print(count, "events")
"""
interpreter = _interpreters.create("legacy")
_interpreters.exec(interpreter, PLUGIN)
_interpreters.destroy(interpreter)
