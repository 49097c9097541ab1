// Rewrites relocation slots of loaded objects, and puts back exactly what was there.
//
// In two steps: a Plan is made where memory may be taken and the loader be asked; patch() does
// neither, so that it may be called with a lock held that others must never wait long for.
#pragma once

#include <cstddef>
#include <list>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/elf_image.hpp"
#include "core/page_protections.hpp"

namespace gilscope {

struct Hook {
  std::string_view symbol;
  void* replacement;
  // The function that the replacement calls. A slot that is bound to another one stays: to another
  // version of the function, or to one that the program has put in its place. nullptr: any.
  void* real = nullptr;
};

// Hooks by the name of their function, one a name. For one thread.
class HookTable {
 public:
  HookTable() = default;
  explicit HookTable(const std::vector<Hook>& hooks) { add(hooks); }

  void add(const std::vector<Hook>& hooks) {
    for (const Hook& hook : hooks) by_symbol_.emplace(hook.symbol, Entry{hook, nullptr, false});
  }

  const Hook* find(std::string_view symbol) const {
    const auto found = by_symbol_.find(symbol);
    return found != by_symbol_.end() ? &found->second.hook : nullptr;
  }

  // What the loader binds the function to; asked once.
  void* bound(std::string_view symbol);

 private:
  struct Entry {
    Hook hook;
    void* bound;
    bool is_bound_known;
  };
  std::unordered_map<std::string_view, Entry> by_symbol_;
};

class GotPatcher {
 public:
  struct Patch {
    void** slot;
    void* original;  // nullptr: not written
    void* replacement;
    bool is_variable;
    std::int8_t protection = -1;  // PROT_* of its page before it was written; -1: unknown
  };

  // The changes to one object.
  using Plan = std::vector<Patch>;

  // Every slot of `image` that names one of `hooks`, by address. Takes memory, and the loader's
  // lock. The object must be kept loaded until it is restored.
  static Plan plan(const ElfImage& image, HookTable& hooks);

  // Whether a plan changes this slot for one of the hooks, or a patch has done so already.
  static bool is_for(const ElfImage& image, const Slot& slot, HookTable& hooks);

  // Points the slots of these plans to their replacements. One whose page cannot be made writable
  // is left alone and counted as failed. Returns the number patched. The plans move to this
  // patcher; no memory is taken.
  std::size_t patch(std::list<Plan>& plans, const PageProtections& pages);

  // Writes again what somebody (the lazy binder, resolving a first call that was under way) wrote
  // over. A variable that has changed has been changed by the program, which may. Returns how many
  // that were.
  std::size_t verify(const PageProtections& pages);
  // Whether there is anything to verify.
  bool is_intact() const;

  // Writes back the originals. Slots that hold something else by now belong to somebody else and
  // are left. Returns the number of slots that could not be restored. Takes no memory and gives
  // none back, and what was patched is still known: repatch() does it again.
  std::size_t restore(const PageProtections& pages);
  void repatch(const PageProtections& pages);

  // The same without a look at all mappings, which costs a forked child as much as the fork: a page
  // has the protection that it had when it was patched, unless it can be written to now. False,
  // with slots left undone, where the system does not tell that.
  bool restore_as_remembered();
  bool repatch_as_remembered();

  // Forgets what was patched; after restore(). Returns the plans, for whoever is to free them.
  std::list<Plan> forget();

  std::size_t patched() const;
  bool is_empty() const { return plans_.empty(); }
  std::size_t failed() const { return failed_; }

 private:
  class Writer;
  std::size_t restore_with(Writer& writer);
  std::size_t repatch_with(Writer& writer);

  std::list<Plan> plans_;
  std::size_t failed_ = 0;
};

}  // namespace gilscope
