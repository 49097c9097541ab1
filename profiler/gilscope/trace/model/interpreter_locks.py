"""The interpreter's own locks: what each is called, what takes it, and what helps.

By the members of CPython's structures in 3.13, 3.14 and 3.15 (`_PyRuntimeState` in
internal/pycore_runtime.h, `PyInterpreterState` in internal/pycore_interp.h), as the probe names
them: "interp->types.mutex".
"""

from __future__ import annotations

from dataclasses import dataclass

_IMPORT = "Import modules before the threads start; import at the top, not inside functions."
_FEWER_THREADS = (
    "Start threads once and keep them, as pools do; give native threads one thread state for life."
)
_PAUSES = "Make fewer pauses: see stop-the-world-storm."


@dataclass(frozen=True, slots=True)
class InterpreterLock:
    """A lock of the interpreter's.

    Attributes:
        title: Its name, with the article.
        taken_by: The operations that take it.
        advice: The remedy when threads contend for it.
    """

    title: str
    taken_by: str
    advice: str


INTERPRETER_LOCKS: dict[str, InterpreterLock] = {
    "interp->types.mutex": InterpreterLock(
        "the interpreter's type lock",
        "attributes and methods looked up past the type cache, classes made or changed, versions "
        "assigned to types",
        "Make and change classes before the threads start; do not assign to class attributes while "
        "they run. Look up methods once, outside the loop (`append = items.append`). The cache has "
        "4096 places a thread: many different types and names in one loop go past it. Native code: "
        "intern the names of attributes (PyUnicode_InternFromString), keep callables rather than "
        "look them up for each call, and do not make types or enumerators a call.",
    ),
    "interp->ceval.pending.mutex": InterpreterLock(
        "the interpreter's queue of pending calls",
        "Py_AddPendingCall, and signals handed to the main thread",
        "Hand over many items with one pending call.",
    ),
    "_PyRuntime.ceval.pending_mainthread.mutex": InterpreterLock(
        "the main thread's queue of pending calls",
        "Py_AddPendingCall, and signals handed to the main thread",
        "Hand over many items with one pending call.",
    ),
    "interp->imports.lock": InterpreterLock(
        "the import lock", "imports that find or make the lock of a module", _IMPORT
    ),
    "interp->imports.lazy_mutex": InterpreterLock(
        "the lock of lazy imports", "names that a lazy import resolves", _IMPORT
    ),
    "_PyRuntime.imports.extensions.mutex": InterpreterLock(
        "the table of extension modules", "imports of extension modules", _IMPORT
    ),
    "interp->stoptheworld.mutex": InterpreterLock(
        "the stop-the-world lock",
        "whoever stops all threads: gc.collect(), a class that changes, sys.settrace()",
        _PAUSES,
    ),
    "_PyRuntime.stoptheworld.mutex": InterpreterLock(
        "the stop-the-world lock of all interpreters",
        "fork, and changes in all interpreters",
        _PAUSES,
    ),
    "_PyRuntime.stoptheworld_mutex": InterpreterLock(
        "the lock between pauses of one interpreter and of all",
        "whoever stops all threads: gc.collect(), a class that changes, fork",
        _PAUSES,
    ),
    "interp->qsbr.mutex": InterpreterLock(
        "the registry of threads for delayed frees", "threads that start and end", _FEWER_THREADS
    ),
    "interp->mem_free_queue.mutex": InterpreterLock(
        "the queue of delayed frees of ended threads", "threads that end", _FEWER_THREADS
    ),
    "_PyRuntime.interpreters.mutex": InterpreterLock(
        "the lists of interpreters and threads",
        "thread states made and destroyed, threads that start and end, a stop-the-world pause, "
        "sys._current_frames()",
        _FEWER_THREADS,
    ),
    "interp->code_state.mutex": InterpreterLock(
        "the table of interned constants",
        "code objects made: compile(), exec(), eval(), imports, unpickled functions",
        "Compile once, and share the code object.",
    ),
    "interp->func_state.mutex": InterpreterLock(
        "the table of function versions",
        "functions made and destroyed: each `def` or `lambda` that runs, each function's end",
        "Define functions and lambdas once, outside the loop.",
    ),
    "interp->unique_ids.mutex": InterpreterLock(
        "the pool of unique ids for reference counts",
        "types, functions and code objects made and destroyed",
        "Make classes and functions once, outside the loop.",
    ),
    "interp->tlbc_indices.mutex": InterpreterLock(
        "the pool of per-thread bytecode", "threads that start and end", _FEWER_THREADS
    ),
    "interp->brc.table[].mutex": InterpreterLock(
        "a queue of reference counts for the owning thread",
        "objects freed by a thread that did not make them",
        "Free objects in the thread that made them: hand over data, or whole batches, rather than "
        "many small objects.",
    ),
    "interp->weakref_locks[]": InterpreterLock(
        "a lock of weak references",
        "weak references made, called and destroyed, of objects that share one of 127 locks",
        "Keep a strong reference in each thread rather than call the weak one each time.",
    ),
    "interp->codecs.search_path_mutex": InterpreterLock(
        "the search path of codecs",
        "encodings that are looked up for the first time, and registered",
        "Use each encoding once before the threads start.",
    ),
    "interp->exc_state.memerrors_lock": InterpreterLock(
        "the spare MemoryErrors", "MemoryError raised and freed", "Use less memory."
    ),
    "interp->ast.once": InterpreterLock(
        "the first use of the ast module's types",
        "compile() and ast.parse(), the first time",
        "Call ast.parse('') once before the threads start.",
    ),
    "interp->warnings.mutex": InterpreterLock(
        "the warnings' lock",
        "warnings.warn() and PyErr_WarnEx()",
        "Do not warn in the loop, or filter the warning with -W or PYTHONWARNINGS: a warning that "
        "is ignored takes the lock, too.",
    ),
    "interp->gc.mutex": InterpreterLock(
        "the garbage collector's lock",
        "collections that several threads begin",
        "Use gc.freeze() and a higher gc.set_threshold().",
    ),
    "interp->atexit.ll_callbacks_lock": InterpreterLock(
        "the list of native exit handlers", "modules that register exit handlers", _IMPORT
    ),
    "interp->dict_state.watcher_mutex": InterpreterLock(
        "the table of dict watchers",
        "PyDict_AddWatcher and PyDict_Watch",
        "Add watchers before the threads start.",
    ),
    "interp->dict_state.watcher_setup_once": InterpreterLock(
        "the first watched dict", "the optimizer's first watched dict", "Nothing: it happens once."
    ),
    "interp->sys_profile_once_flag": InterpreterLock(
        "the set-up of sys.setprofile()",
        "sys.setprofile(), the first time",
        "Nothing: it happens once.",
    ),
    "interp->sys_trace_once_flag": InterpreterLock(
        "the set-up of sys.settrace()",
        "sys.settrace(), the first time",
        "Nothing: it happens once.",
    ),
    "_PyRuntime.ceval.sys_trace_profile_mutex": InterpreterLock(
        "the lock of sys.settrace() and sys.setprofile()",
        "sys.settrace(), sys.setprofile() and their variants for threads",
        "Set trace and profile functions once, not in each task.",
    ),
    "interp->asyncio_tasks_lock": InterpreterLock(
        "the list of asyncio tasks of ended threads",
        "threads with an event loop that end, asyncio.all_tasks()",
        "Keep event loops and their threads.",
    ),
    "interp->cached_objects.interned_mutex": InterpreterLock(
        "the table of interned strings",
        "strings interned: attribute names made at run time, sys.intern(), unpickling, imports",
        "Intern names once, outside the loop; native code: PyUnicode_InternFromString once.",
    ),
    "interp->cached_objects.descriptor_mutex": InterpreterLock(
        "the cache of descriptors", "classes made", "Make classes before the threads start."
    ),
    "interp->id_mutex": InterpreterLock(
        "the interpreter's count of references to its id",
        "interpreters handed from thread to thread",
        "Keep one handle a thread.",
    ),
    "_PyRuntime.allocators.mutex": InterpreterLock(
        "the lock of the memory allocators' table",
        "PyMem_GetAllocator and PyMem_SetAllocator, tracemalloc that starts",
        "Set allocators before the threads start.",
    ),
    "_PyRuntime.atexit.mutex": InterpreterLock(
        "the list of native exit handlers", "Py_AtExit", _IMPORT
    ),
    "_PyRuntime.audit_hooks.mutex": InterpreterLock(
        "the list of audit hooks", "PySys_AddAuditHook", "Add hooks before the threads start."
    ),
    "_PyRuntime.unicode_state.ids.mutex": InterpreterLock(
        "the table of static identifiers",
        "_Py_Identifier, the first time that each is used",
        "Nothing: it happens once.",
    ),
    "_PyRuntime.tracemalloc.tables_lock": InterpreterLock(
        "tracemalloc's lock",
        "each allocation and each free, while tracemalloc runs",
        "Stop tracemalloc: it lets one thread at a time allocate.",
    ),
    "_PyRuntime.faulthandler.thread.cancel_event": InterpreterLock(
        "faulthandler's timer",
        "the thread of faulthandler.dump_traceback_later(), which sleeps on it",
        "Nothing: the thread only sleeps.",
    ),
    "_PyRuntime.faulthandler.thread.running": InterpreterLock(
        "the end of faulthandler's thread",
        "faulthandler.cancel_dump_traceback_later()",
        "Nothing: it happens once.",
    ),
}
_SAME = {
    "interp->warnings.lock": "interp->warnings.mutex",
}
INTERPRETER_LOCKS |= {new: INTERPRETER_LOCKS[old] for new, old in _SAME.items()}
INTERPRETER_LOCKS |= {
    f"{owner}{member}": InterpreterLock(
        "the registry of types that interpreters may hand over",
        "objects sent to other interpreters",
        "Send larger objects, less often.",
    )
    for owner in ("interp->", "_PyRuntime.")
    for member in ("xi.registry.mutex", "xi.data_lookup.registry.mutex")
}


def interpreter_lock(member: str) -> InterpreterLock | None:
    """Return what is known of a lock; None if nothing is.

    Args:
        member: As the probe names it, such as "interp->types.mutex of interpreter 2".
    """
    return INTERPRETER_LOCKS.get(member.partition(" of interpreter ")[0])


def title_of(member: str) -> str:
    """Return what people call a lock of the interpreter's."""
    name, of, interpreter = member.partition(" of interpreter ")
    known = INTERPRETER_LOCKS.get(name)
    title = known.title if known else f"the interpreter's lock `{name}`"
    return f"{title}{of}{interpreter}"
