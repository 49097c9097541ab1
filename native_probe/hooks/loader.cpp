#include "hooks/loader.hpp"

#include <dlfcn.h>

#include <atomic>

#include "core/session.hpp"

namespace gilscope::hooks::loader {
namespace {

std::atomic<void (*)()> on_load{nullptr};

}  // namespace

void set_listener(void (*listener)()) { on_load = listener; }

void* open(const char* file, int flags) {
  void* handle = dlopen(file, flags);
  void (*listener)() = on_load;
  if (handle == nullptr || listener == nullptr || Session::active() == nullptr) return handle;
  const ErrnoKeeper keep_errno;
  listener();
  dlerror();  // what went wrong in there, if anything, is not the program's
  return handle;
}

}  // namespace gilscope::hooks::loader
