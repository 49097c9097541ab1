// The loaded objects, kept loaded as long as a reference to this exists.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/elf_image.hpp"

namespace gilscope {

// Never changed once it is made. Whoever makes one, and whoever gives the last one back, must hold
// no lock of ours and no GIL that was not held anyway: both take the loader's lock, and the thread
// that has it may run a constructor of the program, which may wait for anything.
class LoadedObjects {
 public:
  struct Object {
    ElfImage image;
    std::shared_ptr<void> pin;
    std::string build_id;  // bytes of the NT_GNU_BUILD_ID note
  };
  using Objects = std::vector<std::shared_ptr<const Object>>;

  // Those that are loaded now. What `before` keeps loaded already is taken over from there.
  static std::shared_ptr<const LoadedObjects> look(const LoadedObjects* before);

  // How often objects had been loaded and unloaded in this process. Of now: takes no lock that is
  // held for long.
  struct Counts {
    unsigned long long added;
    unsigned long long removed;
    bool operator==(const Counts& other) const {
      return added == other.added && removed == other.removed;
    }
  };
  static Counts counts_now();
  const Counts& counts() const { return counts_; }
  // Whether nothing has been loaded or unloaded since.
  bool is_current() const { return counts_ == counts_now(); }

  const Objects& all() const { return all_; }
  // Whether it was loaded then, at the same place.
  bool has(const Object& object) const;
  // Whether one was loaded with this base address.
  bool has_at(std::uintptr_t base) const;
  // Whether dlopen() gave this handle for one of them: so it loaded nothing.
  bool has_handle(void* handle) const;

 private:
  Objects all_;  // in the loader's order
  Counts counts_{};
};

}  // namespace gilscope
