# expect: nothing
"""The module is imported before the lock is taken."""

import threading
import sys
import tempfile
from pathlib import Path

state = threading.Lock()
folder = tempfile.mkdtemp()
Path(folder, "settings_of_mine.py").write_text("VALUE = 1\n")
sys.path.insert(0, folder)


def loads():
    import settings_of_mine


def uses():
    with state:
        import settings_of_mine


threads = [threading.Thread(target=one) for one in (loads, uses)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
