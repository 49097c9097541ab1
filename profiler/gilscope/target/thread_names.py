"""Names of threads, told to the probe when they start. Standard library only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from gilscope.target.patch import Patch, Switch

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class ThreadNames:
    """Tells the probe the name of each thread that starts while it runs.

    Python does not give its threads' names to the system before 3.14, and they are gone when the
    thread is. Each new thread calls ``Thread._set_native_id`` once, as its first act.
    """

    def __init__(self, native: Callable[[], ModuleType], dummy: Any) -> None:
        """Prepare.

        Args:
            native: Loads the native probe.
            dummy: The class of threads that native code started.
        """
        self._native, self._dummy = native, dummy
        self._patch = Patch(threading.Thread, "_set_native_id", self._naming)

    def install(self) -> None:
        """Begin to listen."""
        self._patch.install()

    def remove(self) -> None:
        """Put the method back."""
        self._patch.remove()

    def _naming(self, switch: Switch, original: Callable[..., None]) -> Callable[..., None]:
        name_thread, dummy = self._native().name_thread, self._dummy

        def _set_native_id(thread: threading.Thread) -> None:
            original(thread)
            if not switch.on:
                return
            # An exception here would let whoever starts the thread wait for ever.
            try:  # noqa: SIM105 - contextlib.suppress takes memory, which may be what is missing
                name_thread(thread, dummy)
            except Exception:  # noqa: BLE001, S110 - see above
                pass

        return _set_native_id
