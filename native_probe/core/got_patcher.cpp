#include "core/got_patcher.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/loader_call.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace gilscope {
namespace {

const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));

std::uintptr_t page_size() { return page_bytes; }

std::uintptr_t page_of(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) & ~(page_size() - 1);
}

// Asks the system to make a page ready to be written to, which changes nothing else.
bool can_be_written(std::uintptr_t page) {
  return madvise(reinterpret_cast<void*>(page), page_size(), MADV_POPULATE_WRITE) == 0;
}

// Whether it knows that request, as Linux does from 5.14 on.
bool tells_what_can_be_written() {
  const char own = 0;
  return can_be_written(page_of(&own));
}

void* read_slot(void* const* slot) { return __atomic_load_n(slot, __ATOMIC_ACQUIRE); }

bool is_overwritten(const GotPatcher::Patch& patch) {
  return patch.original != nullptr && !patch.is_variable &&
         read_slot(patch.slot) != patch.replacement;
}

bool may_patch(const ElfImage& image, const Slot& slot, const Hook& hook, HookTable& hooks) {
  const void* now = read_slot(slot.address);
  // Null is how a program asks whether there is such a function at all.
  if (now == nullptr || now == hook.replacement) return false;
  if (hook.real != nullptr && now != hook.real) {
    // A slot that is not bound yet points into its own object; so does one for a function that the
    // object brings with it.
    if (!image.contains(now) || image.function(hook.symbol).known()) return false;
  }
  // A variable that was set to something else since is the program's own choice.
  return !slot.is_variable || now == hooks.bound(hook.symbol);
}

}  // namespace

// Makes the pages of one slot after another writable, and read-only again after the last of a page.
class GotPatcher::Writer {
 public:
  // `pages`: nullptr where what is remembered is believed.
  explicit Writer(const PageProtections* pages) : pages_(pages) {}
  ~Writer() { close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool write(const Patch& patch, void* value) {
    const std::uintptr_t page = page_of(static_cast<const void*>(patch.slot));
    if (page != page_ && !open(page, patch.protection)) return false;
    // One aligned word: a thread that calls through the slot sees the old or the new function.
    __atomic_store_n(patch.slot, value, __ATOMIC_RELEASE);
    return true;
  }

  // Of the page that was written to last, before that.
  int protection() const { return protection_; }

 private:
  int protection_of(std::uintptr_t page, int remembered) const {
    if (pages_ != nullptr) return pages_->at(page);
    if (can_be_written(page)) return PROT_READ | PROT_WRITE;
    return remembered >= 0 && (remembered & PROT_WRITE) == 0 ? remembered : -1;
  }

  bool open(std::uintptr_t page, int remembered) {
    close();
    const int protection = protection_of(page, remembered);
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
    protection_ = protection;
    return true;
  }

  void close() {
    if (restore_to_ >= 0) mprotect(reinterpret_cast<void*>(page_), page_size(), restore_to_);
    restore_to_ = -1;
    page_ = 0;
  }

  const PageProtections* pages_;
  std::uintptr_t page_ = 0;
  int protection_ = -1;
  int restore_to_ = -1;
};

void* HookTable::bound(std::string_view symbol) {
  const auto found = by_symbol_.find(symbol);
  if (found == by_symbol_.end()) return nullptr;
  Entry& entry = found->second;
  if (!entry.is_bound_known) {
    const LoaderCall call;
    entry.bound = dlsym(RTLD_DEFAULT, std::string(symbol).c_str());
    entry.is_bound_known = true;
  }
  return entry.bound;
}

bool GotPatcher::is_for(const ElfImage& image, const Slot& slot, HookTable& hooks) {
  const Hook* hook = hooks.find(slot.symbol);
  return hook != nullptr &&
         (read_slot(slot.address) == hook->replacement || may_patch(image, slot, *hook, hooks));
}

GotPatcher::Plan GotPatcher::plan(const ElfImage& image, HookTable& hooks) {
  Plan found;
  for (const Slot& slot : image.slots()) {
    const Hook* hook = hooks.find(slot.symbol);
    if (hook == nullptr || !may_patch(image, slot, *hook, hooks)) continue;
    found.push_back({slot.address, nullptr, hook->replacement, slot.is_variable});
  }
  // Each page is then made writable once.
  std::sort(found.begin(), found.end(),
            [](const Patch& a, const Patch& b) { return a.slot < b.slot; });
  return found;
}

std::size_t GotPatcher::patch(std::list<Plan>& plans, const PageProtections& pages) {
  Writer writer(&pages);
  std::size_t patched = 0;
  const auto first = plans.begin();
  // The journal first: a slot is never changed without a record of what it held.
  if (plans.empty()) return 0;
  plans_.splice(plans_.end(), plans);
  for (auto plan = first; plan != plans_.end(); ++plan) {
    for (Patch& patch : *plan) {
      void* original = read_slot(patch.slot);
      if (original == patch.replacement) continue;  // by another plan
      patch.original = original;
      if (writer.write(patch, patch.replacement)) {
        patch.protection = static_cast<std::int8_t>(writer.protection());
        ++patched;
      } else {
        patch.original = nullptr;
        ++failed_;
      }
    }
  }
  return patched;
}

std::size_t GotPatcher::verify(const PageProtections& pages) {
  Writer writer(&pages);
  std::size_t rewritten = 0;
  for (const Plan& plan : plans_) {
    for (const Patch& patch : plan) {
      if (is_overwritten(patch)) rewritten += writer.write(patch, patch.replacement) ? 1 : 0;
    }
  }
  return rewritten;
}

bool GotPatcher::is_intact() const {
  return std::none_of(plans_.begin(), plans_.end(), [](const Plan& plan) {
    return std::any_of(plan.begin(), plan.end(), is_overwritten);
  });
}

std::size_t GotPatcher::restore_with(Writer& writer) {
  std::size_t left = 0;
  for (const Plan& plan : plans_) {
    for (const Patch& patch : plan) {
      if (patch.original == nullptr || read_slot(patch.slot) != patch.replacement) continue;
      left += writer.write(patch, patch.original) ? 0 : 1;
    }
  }
  return left;
}

std::size_t GotPatcher::repatch_with(Writer& writer) {
  std::size_t left = 0;
  for (Plan& plan : plans_) {
    for (Patch& patch : plan) {
      void* now = read_slot(patch.slot);
      if (patch.original == nullptr || now == patch.replacement) continue;
      if (patch.is_variable && now != patch.original) continue;  // the program's choice
      patch.original = now;  // another one, if it has been bound since
      left += writer.write(patch, patch.replacement) ? 0 : 1;
    }
  }
  return left;
}

std::size_t GotPatcher::restore(const PageProtections& pages) {
  Writer writer(&pages);
  return restore_with(writer);
}

void GotPatcher::repatch(const PageProtections& pages) {
  Writer writer(&pages);
  repatch_with(writer);
}

bool GotPatcher::restore_as_remembered() {
  Writer writer(nullptr);
  return tells_what_can_be_written() && restore_with(writer) == 0;
}

bool GotPatcher::repatch_as_remembered() {
  Writer writer(nullptr);
  return tells_what_can_be_written() && repatch_with(writer) == 0;
}

std::list<GotPatcher::Plan> GotPatcher::forget() {
  failed_ = 0;
  std::list<Plan> plans;
  plans.swap(plans_);
  return plans;
}

std::size_t GotPatcher::patched() const {
  std::size_t n = 0;
  for (const Plan& plan : plans_) {
    n += static_cast<std::size_t>(std::count_if(
        plan.begin(), plan.end(), [](const Patch& patch) { return patch.original != nullptr; }));
  }
  return n;
}

}  // namespace gilscope
