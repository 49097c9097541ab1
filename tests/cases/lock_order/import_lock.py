# expect: state
"""A module is imported with a lock held that its code takes."""

import threading
import sys
import tempfile
import time
from pathlib import Path

state = threading.Lock()
folder = tempfile.mkdtemp()
Path(folder, "settings_of_mine.py").write_text(
    "import __main__\nwith __main__.state:\n    VALUE = 1\n"
)
sys.path.insert(0, folder)


def loads():
    import settings_of_mine


def uses():
    with state:
        import settings_of_mine


threads = [threading.Thread(target=one, name=one.__name__) for one in (loads, uses)]
for thread in threads:
    thread.start()
    time.sleep(0.3)
for thread in threads:
    thread.join()
