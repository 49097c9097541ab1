"""Programs that load libraries while the probe starts, runs and stops."""

from __future__ import annotations

import ctypes
import faulthandler
import importlib.util
import os
import shutil
import threading
import time
from pathlib import Path

import timed
from scenario import main, scenario

from gilscope.target.recording import session as probe

COPIES = 40
LOADERS = 4
MODULES = Path(timed.__file__).parent


def opener() -> ctypes.CDLL:
    """Return the library that loads others; without the GIL, from a slot that is hooked."""
    library = ctypes.CDLL(str(MODULES / "libopener.so"))
    for function in (library.opener_open, library.opener_open_unseen):
        function.restype = ctypes.c_void_p
        function.argtypes = [ctypes.c_char_p]
    library.opener_close.argtypes = [ctypes.c_void_p]
    return library


def copies(source: Path, place: Path, number: int) -> list[Path]:
    """Copy a library: each copy is loaded as one of its own."""
    return [Path(shutil.copy(source, place / f"{n}-{source.name}")) for n in range(number)]


def import_copy(path: Path) -> None:
    """Import a copy of the extension module ``timed``."""
    spec = importlib.util.spec_from_file_location("timed", path)
    assert spec is not None
    importlib.util.module_from_spec(spec)


def load_in_threads(library: ctypes.CDLL, plugins: list[Path]) -> list[threading.Thread]:
    """Start threads that share the plug-ins out among them and load each."""

    def load(own: list[Path]) -> None:
        for path in own:
            assert library.opener_open(os.fsencode(path))

    threads = [
        threading.Thread(target=load, args=(plugins[n::LOADERS],), daemon=True)
        for n in range(LOADERS)
    ]
    for thread in threads:
        thread.start()
    return threads


def staged(trace: str) -> tuple[ctypes.CDLL, list[Path], list[Path]]:
    """Return the opener, plug-ins whose constructors load another library, and modules."""
    place = Path(trace).parent
    plugins = copies(MODULES / "libplugin.so", place, COPIES + 1)
    os.environ["PLUGIN_NEEDS"] = str(plugins.pop())
    return opener(), plugins, copies(Path(timed.__file__), place, COPIES)


@scenario
def constructors_that_load(trace: str) -> dict[str, object]:
    """Threads load libraries whose constructors load one more; modules are imported meanwhile."""
    library, plugins, modules = staged(trace)
    probe.start(trace)
    threads = load_in_threads(library, plugins)
    for path in modules:
        import_copy(path)
    for thread in threads:
        thread.join()
    return probe.stop()


@scenario
def stops_while_loading(trace: str) -> dict[str, object]:
    """Sessions begin and end while threads load such libraries."""
    library, plugins, _ = staged(trace)
    probe.start(trace)
    threads = load_in_threads(library, plugins)
    sessions = 1
    while any(thread.is_alive() for thread in threads):
        probe.stop()
        probe.start(trace)
        sessions += 1
    return {"sessions": sessions, **probe.stop()}


ENTRIES = 2000


def unseen_library() -> ctypes.CDLL:
    """Load the library that enters Python in a way that the probe does not see."""
    path = os.fsencode(MODULES / "libentering.so")
    library = ctypes.CDLL("libentering.so", handle=opener().opener_open_unseen(path))
    library.entering_enter.argtypes = [ctypes.c_int]
    return library


@scenario
def loaded_unseen(trace: str) -> dict[str, object]:
    """A library is loaded through a pointer to dlopen() and enters Python often."""
    faulthandler.cancel_dump_traceback_later()  # its thread would be the program's second one
    probe.start(trace)
    unseen_library().entering_enter(ENTRIES)
    return probe.stop()


@scenario
def loaded_unseen_among_threads(trace: str) -> dict[str, object]:
    """The same where another thread is there, which does nothing."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    probe.start(trace)
    library = unseen_library()
    for _ in range(100):
        library.entering_enter(ENTRIES // 100)
        time.sleep(0.001)  # the library's objects get their hooks by a thread of the probe's own
    report = probe.stop()
    end.set()
    thread.join()
    return report


@scenario
def loaded_unseen_and_idle(trace: str) -> dict[str, object]:
    """The same, but it does nothing until the session ends."""
    probe.start(trace)
    unseen_library()
    return probe.stop()


if __name__ == "__main__":
    main()
