"""What an extension may import that is not safe without the GIL, and what to use instead."""

from __future__ import annotations

BORROWED = {
    "PyList_GetItem": "PyList_GetItemRef",
    "PyDict_GetItem": "PyDict_GetItemRef",
    "PyDict_GetItemWithError": "PyDict_GetItemRef",
    "PyDict_GetItemString": "PyDict_GetItemStringRef",
    "PyDict_SetDefault": "PyDict_SetDefaultRef",
    "PyDict_Next": "PyDict_Next within Py_BEGIN_CRITICAL_SECTION(dict), or PyDict_Items",
    "PyWeakref_GetObject": "PyWeakref_GetRef",
    "PyWeakref_GET_OBJECT": "PyWeakref_GetRef",
    "PyImport_AddModule": "PyImport_AddModuleRef",
    "PyCell_GET": "PyCell_Get",
    "PySys_GetObject": "PySys_GetAttr (3.15), or PyImport_ImportModule and PyObject_GetAttrString",
    "_PyDict_GetItemStringWithError": "PyDict_GetItemStringRef",
    "_PyDict_GetItem_KnownHash": "PyDict_GetItemRef",
    "PyEval_GetLocals": "PyEval_GetFrameLocals",
    "PyEval_GetGlobals": "PyEval_GetFrameGlobals",
    "PyEval_GetBuiltins": "PyEval_GetFrameBuiltins",
}
"""Functions that return a borrowed reference to what can be taken away → the safe one."""

UNSAFE = {
    "_PyThreadState_UncheckedGet": "PyThreadState_GetUnchecked",
    "PyEval_AcquireLock": "PyEval_AcquireThread",
    "PyEval_ReleaseLock": "PyEval_ReleaseThread",
    "_PyObject_GC_TRACK": "PyObject_GC_Track",
    "_Py_RefTotal": "Py_REFCNT",
    "_PyList_Extend": "PyList_Extend",
    "PyUnicode_READY": "nothing: strings are always ready",
    "PyState_FindModule": "PyType_GetModuleByDef, or PyModule_GetState with the module at hand",
}
"""Other functions of the interpreter that rely on the GIL → what to use."""

STATEFUL = {
    "strtok": "strtok_r",
    "localtime": "localtime_r",
    "gmtime": "gmtime_r",
    "asctime": "strftime",
    "ctime": "strftime",
    "strerror": "strerror_r",
    "setlocale": "uselocale with newlocale",
    "rand": "rand_r, or a generator of your own for each thread",
    "srand": "a generator of your own for each thread",
    "drand48": "drand48_r",
    "lrand48": "lrand48_r",
    "mrand48": "mrand48_r",
    "srand48": "srand48_r",
    "setenv": "a setting of your own: nothing may read the environment at the same time",
    "putenv": "a setting of your own: nothing may read the environment at the same time",
    "unsetenv": "a setting of your own: nothing may read the environment at the same time",
    "gethostbyname": "getaddrinfo",
    "gethostbyaddr": "getnameinfo",
    "getservbyname": "getaddrinfo",
    "getpwnam": "getpwnam_r",
    "getpwuid": "getpwuid_r",
    "getgrnam": "getgrnam_r",
    "getgrgid": "getgrgid_r",
    "ttyname": "ttyname_r",
    "ptsname": "ptsname_r",
    "inet_ntoa": "inet_ntop",
    "tmpnam": "mkstemp",
    "getlogin": "getlogin_r",
    "readdir_r": "readdir with a DIR of your own",
    "ecvt": "snprintf",
    "fcvt": "snprintf",
    "gcvt": "snprintf",
    "hcreate": "hcreate_r",
    "hsearch": "hsearch_r",
    "lgamma": "lgamma_r",
    "crypt": "crypt_r",
    "getopt": "a parser of your own",
    "umask": "fchmod: the mask is the whole process's",
    "chdir": "openat and its like: the folder is the whole process's",
}
"""Functions of the C library that keep state which all threads share → what to use instead."""

WHY_BORROWED = (
    "it returns a borrowed reference: another thread can remove the object from its container and "
    "free it before it is used"
)
WHY_UNSAFE = "it relies on the GIL"
WHY_STATEFUL = "it keeps state that all threads share; under the GIL only one of them called it"
WHY_GIL = (
    "it does not declare that it can do without the GIL, so a free-threaded interpreter turns the "
    "GIL on for the whole process when it is imported"
)
WHY_USED = "it declares that it needs the GIL, so a free-threaded interpreter turns it on"
DO_GIL = (
    "Add {Py_mod_gil, Py_MOD_GIL_NOT_USED} to the module's slots, or call "
    "PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) (Cython: freethreading_compatible = "
    "True; pybind11: py::mod_gil_not_used(); nanobind: FREE_THREADED; PyO3: gil_used = false)."
)
WHY_ABI3 = "it is built for the stable interface of interpreters with the GIL"
DO_ABI3 = "Build it for each free-threaded version (cp313t, cp314t), from 3.15 on for abi3t."
WHY_UNKNOWN = (
    "this file is for interpreters with the GIL and declares nothing; many extensions declare it "
    "only when they are built for a free-threaded one"
)
DO_UNKNOWN = "Look at the file that is built for a free-threaded interpreter."
WHY_RUN_TIME = "whether it declares that it can do without the GIL is decided when it is imported"
DO_RUN_TIME = "Import it in a free-threaded interpreter and look at sys._is_gil_enabled()."
WHY_STATIC = "static data that can be changed is shared by all threads"
DO_STATIC = (
    "Make it const, keep it in the module's state, or protect it: a lock, PyMutex, or one "
    "initialisation by call_once."
)
