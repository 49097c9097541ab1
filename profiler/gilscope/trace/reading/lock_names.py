"""Names of locks."""

from __future__ import annotations

from gilscope.trace.model.interpreter_locks import title_of

_LABELS = {
    "unidentified": "unidentified lock",
    "mutex": "PyMutex",
    "object": "object",
    "thread_lock": "thread lock",
    "lock": "threading.Lock",
    "rlock": "threading.RLock",
    "simple_queue": "SimpleQueue",
    "event": "event",
    "stop_the_world": "stop-the-world pause",
    "stop_the_world_request": "stop-the-world request",
    "raw_mutex": "parking-lot mutex",
    "import_lock": "import lock",
    "rwlock": "interpreter's read-write mutex",
    "once": "one-time initialization",
    "thread_end": "end of a thread",
    "native": "native lock",
    "native_mutex": "std::mutex / pthread_mutex",
    "native_rwlock": "std::shared_mutex / pthread_rwlock",
    "native_condition": "std::condition_variable / pthread_cond",
}
# How a name of the program's own is put; {} is the label, then the name.
_FORMS = {
    "module global": "{} `{}`",
    "local variable": "{} `{}` (local)",
    "attribute": "{} `{}`",
    "allocation": "{} allocated at {}",
    "creation": "{} created at {}",
    "member": "{} {}",
    "first wait": "{} first waited for {}",
    "symbol": "{} `{}`",
}


def lock_name(
    kind: str,
    type_name: str,
    address: int,
    object_address: int,
    *,
    name: str = "",
    source: str = "",
) -> str:
    """The best name for people.

    Args:
        kind: as in `format.LOCK_KINDS`.
        type_name: of the object that the lock belongs to; "" if there is none.
        address: what was waited on.
        object_address: the object; 0 if there is none.
        name: what the program calls it, or where it was made; "" if unknown.
        source: how that was found, as in `Lock.source`.

    Returns:
        Such as "dict `app.CACHE`", or "dict at 0x7f0c5a3b2e40" without a name.
    """
    if source == "interpreter":
        return title_of(name)
    label = type_name or _LABELS.get(kind, kind)
    if name:
        return _FORMS.get(source, "{} `{}`").format(label, name)
    where = object_address or address
    return f"{label} at {where:#x}" if where else label
