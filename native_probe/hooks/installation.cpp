#include "hooks/installation.hpp"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/got_patcher.hpp"
#include "core/loaded_objects.hpp"
#include "core/loader_call.hpp"
#include "core/native_stack.hpp"
#include "core/page_feeder.hpp"
#include "core/page_protections.hpp"
#include "core/signals.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope::hooks::installation {
namespace {

using Object = LoadedObjects::Object;
using Known = std::shared_ptr<const LoadedObjects>;

// Instead of the address of what was loaded: all that is new was loaded by calls that have hooks;
// none of it was.
constexpr std::uintptr_t kAllSeen = UINTPTR_MAX;
constexpr std::uintptr_t kNoneSeen = UINTPTR_MAX - 1;

// How often objects are looked for that no hooked call loaded, where each look is a short thread.
constexpr std::uint64_t kLooksPerSecond = 20;

// Leaked on purpose: threads may run through hooks after the static destructors.
struct Installation {
  ElfImage interpreter;
  // What follows is under this.
  std::mutex patching;
  bool wanted = false;  // objects that are loaded get hooks
  bool native_locks = true;
  bool inherited = false;  // all this is from the process that forked this one
  Known objects;
  GotPatcher patcher;
  std::list<Late> late;

  // For hooks: calls of the loader that have a hook and are under way, whether a thread of ours is
  // looking, and when the next one may.
  std::atomic<int> loading{0};
  std::atomic<bool> looking{false};
  std::atomic<pid_t> looker{0};  // the last thread that was made for it, until it is forgotten
  std::atomic<int> forks{0};     // of the interpreter, under way
  std::atomic<std::uint64_t> next_look{0};  // ticks
};

// Made when the probe is loaded, not when it is first asked for: a child that is forked at that
// moment would wait for ever for the thread that makes it.
Installation& the_installation = *new Installation;

Installation& self() { return the_installation; }

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Objects that never get hooks: our own, the C library and the loader.
bool is_left_out(const ElfImage& image) {
  return image.contains(reinterpret_cast<const void*>(&is_left_out)) ||
         has(image.path(), "/libc.so") || has(image.path(), "/libpthread.so") ||
         has(image.path(), "/ld-linux");
}

// Objects whose locks are their own.
bool is_runtime(const ElfImage& image) {
  return has(image.path(), "/libstdc++.so") || has(image.path(), "/libgcc_s.so");
}

// The tables of hooks, made once a pass.
class HookTables {
 public:
  HookTables(const ElfImage& interpreter, bool native_locks)
      : interpreter_(interpreter), native_locks_(native_locks) {}

  bool is_interpreter(const ElfImage& image) const { return image.is_same(interpreter_); }

  HookTable& of(const ElfImage& image) {
    const bool is_interpreter = this->is_interpreter(image);
    const bool locks = native_locks_ && !is_interpreter && !is_runtime(image);
    // The loader searches folders for the calls of such an object that it does not search for ours.
    const bool loader = !image.has_search_path();
    const int key = (is_interpreter ? 1 : 0) | (locks ? 2 : 0) | (loader ? 4 : 0);
    const auto [place, is_new] = tables_.try_emplace(key);
    if (is_new) {
      place->second.add(is_interpreter ? interpreter_hooks() : other_hooks());
      if (locks) place->second.add(native_lock_hooks());
      if (loader) place->second.add(loader_hooks(is_interpreter));
    }
    return place->second;
  }

 private:
  const ElfImage& interpreter_;
  const bool native_locks_;
  std::map<int, HookTable> tables_;
};

// For the objects that are new since `before`. Those that stand before the one at `loaded` were
// loaded before it, and go to `late`, too: the loader appends what a call loads, that object first.
std::list<GotPatcher::Plan> plans_for(const LoadedObjects& now, const LoadedObjects* before,
                                      bool native_locks, std::uintptr_t loaded,
                                      std::list<Late>& late) {
  bool unseen = loaded != kAllSeen;
  HookTables tables(self().interpreter, native_locks);
  std::list<GotPatcher::Plan> plans;
  for (const auto& object : now.all()) {
    if (object->image.base() == loaded) unseen = false;
    if (is_left_out(object->image) || (before != nullptr && before->has(*object))) continue;
    GotPatcher::Plan plan = GotPatcher::plan(object->image, tables.of(object->image));
    if (plan.empty()) continue;
    plans.push_back(std::move(plan));
    if (unseen) late.push_back({object->image.path(), Clock::ticks()});
  }
  return plans;
}

// One look at the loaded objects; false when another thread has been faster, and it is to be done
// again. What is left over is given back after the lock is.
// `loaded`: what a call of the loader that has a hook has just loaded; kAllSeen, kNoneSeen.
bool look_once(std::uintptr_t loaded) {
  Installation& own = self();
  Known before;
  bool native_locks = false;
  {
    const std::lock_guard<std::mutex> lock(own.patching);
    if (!own.wanted) return true;
    before = own.objects;
    native_locks = own.native_locks;
  }
  if (before != nullptr && before->is_current()) return true;
  Known now = LoadedObjects::look(before.get());
  std::list<Late> late;
  std::list<GotPatcher::Plan> plans = plans_for(*now, before.get(), native_locks, loaded, late);
  // A thread that makes such a call knows of it first, and looks afterwards.
  const int others = own.loading - (loaded == kNoneSeen || loaded == kAllSeen ? 0 : 1);
  if (loaded == kNoneSeen && others != 0) return true;
  std::shared_ptr<native_stack::Table> table = native_stack::make_table(now);
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(own.patching);
  if (!own.wanted) return true;
  if (own.objects != before) return false;
  own.objects.swap(now);
  own.patcher.patch(plans, pages);
  native_stack::publish(std::move(table));
  if (others == 0) own.late.splice(own.late.end(), late);
  return true;
}

void look(std::uintptr_t loaded) {
  while (!look_once(loaded)) {
  }
}

// Whether the object at that address has been looked at: then what it needs has been, too.
bool is_known(std::uintptr_t base) {
  const std::lock_guard<std::mutex> lock(self().patching);
  return self().objects != nullptr && self().objects->has_at(base);
}

// A thread that was binding a function just when its slot was patched may have written over it.
void verify() {
  Installation& own = self();
  {
    const std::lock_guard<std::mutex> lock(own.patching);
    if (own.patcher.is_intact()) return;
  }
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(own.patching);
  own.patcher.verify(pages);
}

// In a forked child whose parent had a session: the objects are the same, and so are their slots.
// What walks need was published there.
bool install_again(bool native_locks) {
  Installation& own = self();
  {
    const std::lock_guard<std::mutex> lock(own.patching);
    if (!std::exchange(own.inherited, false) || own.native_locks != native_locks) return false;
    own.wanted = true;
    if (own.patcher.repatch_as_remembered()) return true;
  }
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(own.patching);
  own.patcher.repatch(pages);
  own.wanted = true;
  return true;
}

// Without memory nothing is thrown into the program: the next look finds what is new as well.
template <typename Look>
void look_if_there_is_memory(Look look) {
  try {
    look();
  } catch (const std::bad_alloc&) {
    return;
  }
}

void* look_in_thread(void*) {
  look_if_there_is_memory(look_unseen);
  self().looking = false;
  return nullptr;
}

void* be_looker(void*) {
  self().looker = gettid();
  return look_in_thread(nullptr);
}

}  // namespace

void initialize(const ElfImage& interpreter) { self().interpreter = interpreter; }

std::size_t install_interpreter() {
  Installation& own = self();
  HookTables tables(own.interpreter, false);
  std::list<GotPatcher::Plan> plans;
  plans.push_back(GotPatcher::plan(own.interpreter, tables.of(own.interpreter)));
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(own.patching);
  return own.patcher.patch(plans, pages);
}

void install(bool native_locks) {
  Installation& own = self();
  if (install_again(native_locks)) return;
  release();  // what the self-test left, or a process that forked this one
  late();
  {
    const std::lock_guard<std::mutex> lock(own.patching);
    own.wanted = true;
    own.native_locks = native_locks;
  }
  look(kAllSeen);
  verify();
}

std::size_t remove() {
  Installation& own = self();
  {
    const std::lock_guard<std::mutex> lock(own.patching);
    own.wanted = false;
  }
  // Nobody patches now: what is read here stays right.
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(own.patching);
  if (own.patcher.restore(pages) == 0) return 0;
  // The list of pages cannot be read, as in a program that has no descriptor left.
  own.patcher.restore_as_remembered();
  return own.patcher.restore(pages);
}

namespace {

// What is known of the objects, and keeps them loaded.
struct Kept {
  Known objects;
  std::shared_ptr<native_stack::Table> table;
  std::list<GotPatcher::Plan> plans;
};

Kept take_all() {
  Installation& own = self();
  Kept kept;
  const std::lock_guard<std::mutex> lock(own.patching);
  kept.objects.swap(own.objects);
  kept.table = native_stack::withdraw();
  kept.plans = own.patcher.forget();
  return kept;
}

}  // namespace

void release() {
  Kept kept = take_all();
  native_stack::forget(std::move(kept.table));
}

void keep_for_ever() { new Kept(take_all()); }

void install_last(const std::vector<Hook>& interpreters, const std::vector<Hook>& others) {
  struct Last {
    Known objects;
    GotPatcher patcher;
  };
  Last& last = *new Last{LoadedObjects::look(nullptr), {}};
  HookTable in_interpreter(interpreters);
  HookTable elsewhere(others);
  std::list<GotPatcher::Plan> plans;
  for (const auto& object : last.objects->all()) {
    if (is_left_out(object->image)) continue;
    const bool is_interpreter = object->image.is_same(self().interpreter);
    plans.push_back(GotPatcher::plan(object->image, is_interpreter ? in_interpreter : elsewhere));
  }
  std::shared_ptr<native_stack::Table> objects = native_stack::make_table(last.objects);
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(self().patching);
  native_stack::publish(std::move(objects));
  last.patcher.patch(plans, pages);
}

CodeRange function_of_interpreter(std::string_view name) {
  return self().interpreter.function(name);
}

bool has_hooks() {
  const std::lock_guard<std::mutex> lock(self().patching);
  return self().patcher.patched() != 0;
}

std::size_t failed() {
  const std::lock_guard<std::mutex> lock(self().patching);
  return self().patcher.failed();
}

void before_load() { ++self().loading; }

void after_load(void* handle) {
  const link_map* map = nullptr;
  // No handle: the loader's error is for the program to read. An object that was there already:
  // nothing was loaded, and the loader's lock, which dlopen() did not take for that, may be held by
  // a thread that waits for the GIL.
  if (handle != nullptr && dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0 &&
      !is_known(map->l_addr)) {
    look_if_there_is_memory([map] { look(map->l_addr); });
  }
  --self().loading;
}

void look_unseen() {
  // The thread that makes such a call looks afterwards.
  if (self().loading != 0) return;
  look(kNoneSeen);
}

void notice() {
  Installation& own = self();
  if (own.loading != 0 || own.looking || own.forks != 0 || LoaderCall::must_wait()) return;
  const std::uint64_t now = Clock::ticks();
  if (now < own.next_look || own.looking.exchange(true)) return;
  // No other thread can have the loader's lock.
  if (single_threaded()) {
    look_in_thread(nullptr);
    return;
  }
  own.next_look = now + Clock::ticks_per_second() / kLooksPerSecond;
  const SignalsBlocked blocked;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  if (pthread_create(&thread, &attributes, be_looker, nullptr) != 0) own.looking = false;
  pthread_attr_destroy(&attributes);
}

void before_python_forks() {
  constexpr std::uint64_t kLongest = 100'000'000;  // ns; the loader may be busy for who waits here
  constexpr long kWithOurs = 3;  // with more, the program has threads of its own, too
  Installation& own = self();
  ++own.forks;
  if ((!own.looking && own.looker == 0) || thread_count() > kWithOurs) return;
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kLongest;
  while (own.looking && nanoseconds(CLOCK_MONOTONIC) < deadline) sched_yield();
  const pid_t looker = own.looking ? 0 : own.looker.exchange(0);
  if (looker != 0) wait_until_forgotten(looker, kLongest);
}

void after_python_forked_in_parent() { --self().forks; }

std::list<Late> late() {
  const std::lock_guard<std::mutex> lock(self().patching);
  return std::exchange(self().late, {});
}

void before_fork() {
  LoaderCall::before_fork();
  self().patching.lock();
}

void after_fork_in_parent() {
  self().patching.unlock();
  LoaderCall::after_fork_in_parent();
}

void after_fork_in_child() {
  LoaderCall::after_fork_in_child();
  Installation& own = self();
  new (&own.patching) std::mutex;
  if (!own.patcher.is_empty() && !own.patcher.restore_as_remembered()) {
    own.patcher.restore(PageProtections());
  }
  own.inherited = std::exchange(own.wanted, false);
  own.late.clear();
  own.loading = 0;
  own.looking = false;
  own.looker = 0;
  own.forks = 0;
}

std::vector<std::tuple<std::string, std::string, std::size_t>> report() {
  std::vector<std::tuple<std::string, std::string, std::size_t>> found;
  HookTables tables(self().interpreter, true);
  const Known now = LoadedObjects::look(nullptr);
  for (const auto& object : now->all()) {
    const ElfImage& image = object->image;
    if (is_left_out(image)) continue;
    HookTable& hooks = tables.of(image);
    std::map<std::string_view, std::size_t> counts;
    // Those of the interpreter are all told, with 0 slots, too.
    if (tables.is_interpreter(image)) {
      for (const Hook& hook : interpreter_hooks()) counts[hook.symbol] = 0;
    }
    for (const Slot& slot : image.slots()) {
      if (GotPatcher::is_for(image, slot, hooks)) ++counts[slot.symbol];
    }
    for (const auto& [symbol, n] : counts) found.emplace_back(symbol, image.path(), n);
  }
  return found;
}

}  // namespace gilscope::hooks::installation
