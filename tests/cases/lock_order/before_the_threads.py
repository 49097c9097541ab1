# expect: nothing
"""The main thread in the other order before it starts the thread."""

import threading

a, b = threading.Lock(), threading.Lock()

with b, a:
    pass


def forth():
    with a, b:
        pass


other = threading.Thread(target=lambda: None)
other.start()
with b, a:
    pass
thread = threading.Thread(target=forth)
thread.start()
thread.join()
with b, a:
    pass
other.join()
