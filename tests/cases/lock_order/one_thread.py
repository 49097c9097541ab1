# expect: nothing
"""One thread alone in both orders."""

import threading

a, b = threading.Lock(), threading.Lock()


def work():
    with a, b:
        pass
    with b, a:
        pass


thread = threading.Thread(target=work)
thread.start()
thread.join()
