// Rewrites relocation slots of loaded objects, and puts back exactly what was there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/elf_image.hpp"

namespace gilscope {

struct Hook {
  std::string_view symbol;
  void* replacement;
  // What the replacement calls. A slot that is bound to anything else is left alone: to another
  // version of the function, or to one that the program has put in its place. nullptr: any.
  void* real = nullptr;
};

class GotPatcher {
 public:
  struct Patch {
    void** slot;
    void* original;
    void* replacement;
    std::size_t hook;  // index into the hooks given
    bool is_variable;
  };

  // Points every slot of `image` that names one of `hooks` to its replacement, and keeps the object
  // loaded until it is restored. A slot whose page cannot be made writable is left alone and
  // counted as failed. Returns the number patched.
  std::size_t patch(const ElfImage& image, const std::vector<Hook>& hooks);

  // Whether patch() changes this slot for this hook, or has done so already.
  static bool is_for(const ElfImage& image, const Slot& slot, const Hook& hook);

  // Whether `image` has been given to patch() since the last restore().
  bool knows(const ElfImage& image) const;

  // Writes again what somebody (the lazy binder, resolving a first call that was under way) wrote
  // over. A variable that has changed has been changed by the program, which may. Returns how many
  // that were.
  std::size_t verify();

  // Writes back the originals, newest first. Slots that hold something else by now belong to
  // somebody else and are left. Returns the number of slots that could not be restored.
  std::size_t restore();

  const std::vector<Patch>& patches() const { return patches_; }
  std::size_t failed() const { return failed_; }

 private:
  void release_pins();

  std::vector<Patch> patches_;
  std::vector<ElfImage> images_;
  std::vector<void*> pins_;
  int pinned_by_ = 0;  // process
  std::size_t failed_ = 0;
};

}  // namespace gilscope
