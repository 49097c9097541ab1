// Lets work go to several threads, as it may: a thread that takes work from a container rests after
// each of the first times, so that the others come to take theirs. Without that one thread would
// often do all of many short jobs, in order, and nothing would be shared.
#pragma once

#include <Python.h>

#include "cpython/races_session.hpp"

namespace gilscope::races::rests {

// The thread has taken something from a container that another thread made. It rests when it holds
// no lock that others need to take theirs. A thread state is attached.
void took(Session& session, Thread& thread, PyObject* container);
// The same of a method of a built-in type: only if the program's code called it.
void took_in_program(Session& session, Thread& thread, PyObject* container);
// The thread has released a lock.
void released(Session& session, Thread& thread);

}  // namespace gilscope::races::rests
