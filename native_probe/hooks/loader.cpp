#include "hooks/loader.hpp"

#include <dlfcn.h>
#include <link.h>

#include "core/native_stack.hpp"
#include "core/session.hpp"
#include "hooks/installation.hpp"

namespace gilscope::hooks::loader {
namespace {

void note_module(void* handle) {
  const link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) return;
  Recording recording;
  if (!recording) return;
  recording.log().importing_module =
      native_stack::module_with_base(recording.session(), map->l_addr);
}

}  // namespace

void* open(const char* file, int flags) {
  {
    const ErrnoKeeper keep_errno;
    installation::before_load();
  }
  void* handle = dlopen(file, flags);
  const ErrnoKeeper keep_errno;
  installation::after_load(handle);
  // What went wrong in there, if anything, is not the program's.
  if (handle != nullptr) dlerror();
  return handle;
}

void* open_module(const char* file, int flags) {
  void* handle = open(file, flags);
  if (handle == nullptr || Session::active() == nullptr) return handle;
  const ErrnoKeeper keep_errno;
  note_module(handle);
  return handle;
}

}  // namespace gilscope::hooks::loader
