#include "hooks/threads.hpp"

#include <memory>
#include <new>

#include "core/session.hpp"

namespace gilscope::hooks::threads {
namespace {

struct Start {
  void* (*routine)(void*);
  void* argument;
  format::ThreadFlag origin;
};

void* run(void* data) {
  const Start start = *static_cast<Start*>(data);
  delete static_cast<Start*>(data);
  ThreadLogs::set_origin(start.origin);
  {
    const Recording joins_the_session;
  }
  return start.routine(start.argument);
}

int create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
           void* argument, format::ThreadFlag origin) {
  {
    Recording recording;
    if (recording) recording.session().gets_threads();
  }
  auto* start =
      Session::active() != nullptr ? new (std::nothrow) Start{routine, argument, origin} : nullptr;
  if (start == nullptr) return pthread_create(thread, attributes, routine, argument);
  const int result = pthread_create(thread, attributes, run, start);
  if (result != 0) delete start;
  return result;
}

}  // namespace

int create_python(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument) {
  return create(thread, attributes, routine, argument, format::kPythonThread);
}

int create_native(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument) {
  return create(thread, attributes, routine, argument, format::kNativeThread);
}

}  // namespace gilscope::hooks::threads
