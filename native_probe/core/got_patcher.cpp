#include "core/got_patcher.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>

namespace gilscope {
namespace {

// Protection of the page at `address` as /proc/self/maps states it; -1 when it is not mapped.
int protection_of(std::uintptr_t address) {
  FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return -1;
  char line[512];
  int protection = -1;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char r = 0;
    char w = 0;
    char x = 0;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %c%c%c", &begin, &end, &r, &w, &x) != 5) {
      continue;
    }
    if (address < begin || address >= end) continue;
    protection =
        (r == 'r' ? PROT_READ : 0) | (w == 'w' ? PROT_WRITE : 0) | (x == 'x' ? PROT_EXEC : 0);
    break;
  }
  std::fclose(maps);
  return protection;
}

// Makes the pages of one slot after another writable, and read-only again after the last of a page.
class PageWriter {
 public:
  ~PageWriter() { close(); }

  bool write(void** slot, void* value) {
    const auto page = reinterpret_cast<std::uintptr_t>(slot) & ~(page_size() - 1);
    if (page != page_ && !open(page)) return false;
    // One aligned word: a thread that calls through the slot sees the old or the new function.
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    return true;
  }

 private:
  static std::uintptr_t page_size() {
    static const auto size = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    return size;
  }

  bool open(std::uintptr_t page) {
    close();
    const int protection = protection_of(page);
    if (protection < 0) return false;
    if ((protection & PROT_WRITE) == 0) {
      // Never writable and executable at once.
      if ((protection & PROT_EXEC) != 0) return false;
      if (mprotect(reinterpret_cast<void*>(page), page_size(), protection | PROT_WRITE) != 0) {
        return false;
      }
      restore_to_ = protection;
    }
    page_ = page;
    return true;
  }

  void close() {
    if (restore_to_ >= 0) mprotect(reinterpret_cast<void*>(page_), page_size(), restore_to_);
    restore_to_ = -1;
    page_ = 0;
  }

  std::uintptr_t page_ = 0;
  int restore_to_ = -1;
};

bool may_patch(const ElfImage& image, const Slot& slot, const Hook& hook) {
  // Null is how a program asks whether there is such a function at all.
  if (*slot.address == nullptr || *slot.address == hook.replacement) return false;
  if (hook.real != nullptr && *slot.address != hook.real) {
    // A slot that is not bound yet points into its own object; so does one for a function that the
    // object brings with it.
    if (!image.contains(*slot.address) || image.function(hook.symbol).known()) return false;
  }
  // A variable that was set to something else since is the program's own choice.
  return !slot.is_variable ||
         *slot.address == dlsym(RTLD_DEFAULT, std::string(hook.symbol).c_str());
}

}  // namespace

bool GotPatcher::is_for(const ElfImage& image, const Slot& slot, const Hook& hook) {
  return hook.symbol == slot.symbol &&
         (*slot.address == hook.replacement || may_patch(image, slot, hook));
}

std::size_t GotPatcher::patch(const ElfImage& image, const std::vector<Hook>& hooks) {
  void* pin = image.pin();
  if (pin == nullptr) return 0;
  pins_.push_back(pin);
  images_.push_back(image);
  pinned_by_ = getpid();
  PageWriter writer;
  std::size_t patched = 0;
  for (const Slot& slot : image.slots()) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
      if (hooks[i].symbol != slot.symbol || !may_patch(image, slot, hooks[i])) continue;
      void* original = *slot.address;
      // The journal first: a slot is never changed without a record of what it held.
      patches_.push_back({slot.address, original, hooks[i].replacement, i, slot.is_variable});
      if (writer.write(slot.address, hooks[i].replacement)) {
        ++patched;
      } else {
        patches_.pop_back();
        ++failed_;
      }
    }
  }
  return patched;
}

bool GotPatcher::knows(const ElfImage& image) const {
  return std::any_of(images_.begin(), images_.end(),
                     [&image](const ElfImage& known) { return known.is_same(image); });
}

std::size_t GotPatcher::verify() {
  PageWriter writer;
  std::size_t rewritten = 0;
  for (const Patch& patch : patches_) {
    if (*patch.slot == patch.replacement || patch.is_variable) continue;
    rewritten += writer.write(patch.slot, patch.replacement) ? 1 : 0;
  }
  return rewritten;
}

std::size_t GotPatcher::restore() {
  PageWriter writer;
  std::size_t left = 0;
  for (auto patch = patches_.rbegin(); patch != patches_.rend(); ++patch) {
    if (*patch->slot != patch->replacement) continue;
    left += writer.write(patch->slot, patch->original) ? 0 : 1;
  }
  patches_.clear();
  failed_ = 0;
  images_.clear();
  release_pins();
  return left;
}

void GotPatcher::release_pins() {
  // In a forked child the loader's lock may be held by a thread that does not exist there.
  if (getpid() == pinned_by_) {
    for (void* pin : pins_) dlclose(pin);
  }
  pins_.clear();
}

}  // namespace gilscope
