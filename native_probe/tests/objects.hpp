// The shared objects that the tests of images and patches look at and patch.
#pragma once

#include <dlfcn.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "core/elf_image.hpp"
#include "tests/harness.hpp"

namespace gilscope::testing {

struct Linkage {
  const char* name;
  const char* path;
};

inline const std::vector<Linkage>& linkages() {
  static const std::vector<Linkage> all{{"lazy", GILSCOPE_PATCHED_LAZY},
                                        {"relro", GILSCOPE_PATCHED_RELRO},
                                        {"noplt", GILSCOPE_PATCHED_NOPLT}};
  return all;
}

// One of them, loaded.
class Object {
 public:
  explicit Object(const char* path) : path_(path), handle_(dlopen(path, RTLD_LAZY | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw CheckFailed(dlerror());
  }
  ~Object() { close(); }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void close() {
    if (handle_ != nullptr) dlclose(handle_);
    handle_ = nullptr;
  }
  void* symbol(const char* name) const { return dlsym(handle_, name); }
  int call(const char* name) const { return reinterpret_cast<int (*)()>(symbol(name))(); }
  ElfImage image() const { return ElfImage::containing(symbol("call_direct")); }

  // The lines of /proc/self/maps about this object: addresses and protections.
  std::vector<std::string> maps() const {
    std::ifstream file("/proc/self/maps");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      if (line.find(path_) != std::string::npos) lines.push_back(line);
    }
    return lines;
  }

  // All of its memory that can be read, page by page as it is now.
  std::string memory() const {
    std::string all;
    for (const std::string& line : maps()) {
      const std::size_t dash = line.find('-');
      const auto begin = std::stoull(line, nullptr, 16);
      const auto end = std::stoull(line.substr(dash + 1), nullptr, 16);
      if (line[line.find(' ') + 1] != 'r') continue;
      all.append(reinterpret_cast<const char*>(begin), end - begin);
    }
    return all;
  }

 private:
  std::string path_;
  void* handle_;
};

inline bool is_loaded(const std::string& path) {
  for (const ElfImage& image : ElfImage::all()) {
    if (image.path() == path) return true;
  }
  return false;
}

}  // namespace gilscope::testing
