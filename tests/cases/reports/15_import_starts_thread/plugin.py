# A module that starts work at import, and work that imports the module.
import threading

ready = False


def work():
    import plugin  # waits until the import of plugin is done

    plugin.ready = True


def start():
    t = threading.Thread(target=work, name="plugin-init")
    t.start()
    t.join()


import sys

if sys.argv[1:] != ["good"]:
    start()
