import ctypes, sys, threading, time

mode = (sys.argv[1:] or ["bad"])[0]  # bad, worse (keeps the GIL: still hangs) or good
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
seen = []


@CALLBACK
def visit(info, size, data):  # called with glibc's loader lock, and needs the GIL
    seen.append(size)
    return 0


walk = (ctypes.CDLL if mode == "bad" else ctypes.PyDLL)(None).dl_iterate_phdr
# A native callback, which returns 1 and so stops at once.
nothing = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p)
stop = time.monotonic() + 2


def pools():  # what a library does to find the thread pools of this process
    while time.monotonic() < stop:
        if mode == "good":
            with open("/proc/self/maps") as maps:
                seen.extend(line for line in maps if ".so" in line)
            time.sleep(0.01)
        else:
            walk(visit, None)


def backtrace():  # what dlopen(), backtrace() and C++ exceptions do, here with the GIL
    while time.monotonic() < stop:
        ctypes.PyDLL(None).dl_iterate_phdr(nothing, None)
        if mode == "good":
            time.sleep(0.01)


threads = [threading.Thread(target=f, name=f.__name__) for f in (pools, backtrace)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
