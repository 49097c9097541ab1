// Object files of any content, as their symbols are read when a session ends.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "core/symbols.hpp"
#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("input", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    return 0;
  // Every note of a build id has this in it, so that mutated files pass for the loaded object.
  const gilscope::symbols::ObjectFile object(path, "GNU");
  std::size_t length = 0;
  object.for_each_function([&length](const gilscope::symbols::Extent& function) {
    length += gilscope::symbols::demangle(function.name).size() + function.end - function.begin;
  });
  length += object.has_symbol_with("PyInit_") + object.has_text("PyGILState_");
  static volatile std::size_t sink;
  sink = length;
  return 0;
}
