#include "cpython/lock_identity.hpp"

#include <string_view>

#include "cpython/interpreter_locks.h"
#include "cpython/layout.h"
#include "cpython/names.h"
#include "cpython/stack.hpp"

namespace gilscope::lock_identity {
namespace {

using format::LockKind;

void define_name(Session& session, std::uint32_t lock, std::string_view name,
                 std::uint16_t source) {
  session.file().define(format::LockNameBody{lock, session.string(name), source, 0, 0});
}

void name_interpreter_lock(Session& session, std::uint32_t lock, std::uintptr_t address) {
  char text[96];
  const std::size_t length = gilscope_interpreter_lock(address, text, sizeof text);
  if (length == 0) return;
  define_name(session, lock, {text, length},
              static_cast<std::uint16_t>(format::NameSource::interpreter));
}

// `name`: a STRING, or 0. `stack`: of the thread that waits.
LockTable::Found find_id(Session& session, const LockIdentity& lock, std::uint32_t name,
                         std::uint32_t stack) {
  const LockTable::Found found = find_lock(session, lock, name, [](std::uintptr_t type) {
    return std::string_view(gilscope_type_name(type));
  });
  if (found.is_new) {
    define_first_wait(session, found.id, stack);
    if (lock.object == 0 && lock.address != 0) {
      name_interpreter_lock(session, found.id, lock.address);
    }
  }
  return found;
}

void add_name(Session& session, std::uint32_t lock, const gilscope_name& name) {
  session.names().add(lock, static_cast<std::uint16_t>(name.source), {name.text, name.length},
                      [&session, lock](std::string_view all, std::uint16_t source) {
                        define_name(session, lock, all, source);
                      });
}

// A thread that could not record has made a lock.
std::atomic<bool> missed_creations{false};

// As a distinction: a lock without a name is told from others at its address by where it was made.
constexpr std::uint32_t kMadeThere = 0x80000000u;

bool is_watched(LockKind kind) { return kind == LockKind::lock || kind == LockKind::rlock; }

// The STACK that made the lock, 0 unknown. Locks from before the session are not in the table, and
// every later one at the same address has written over the entry of the one before.
std::uint32_t creation_of(Session& session, const LockIdentity& waited) {
  std::uintptr_t address = 0;
  if (is_watched(waited.kind)) address = waited.object;
  if (waited.kind == LockKind::thread_lock) address = waited.address;
  if (address == 0 || missed_creations.load(std::memory_order_relaxed)) return 0;
  const std::atomic<std::uint64_t>* stack = session.lock_places().creations.find(mix(address));
  return stack != nullptr ? static_cast<std::uint32_t>(stack->load(std::memory_order_relaxed)) : 0;
}

void define_creation(Session& session, std::uint32_t lock, std::uint32_t stack) {
  session.file().define(format::LockCreatedBody{lock, stack});
}

// What a word of the tables says: how many locks had ended at the address, and the lock since then.
constexpr std::uint64_t word(std::uint32_t ends, std::uint32_t lock) {
  return std::uint64_t{ends} << 32 | lock;
}
bool is_since(std::uint64_t word, std::uint32_t ends) {
  return static_cast<std::uint32_t>(word) != 0 && word >> 32 == ends;
}

// A condition makes a lock for each wait, and the next one has the last one's address, and name. It
// is the same lock in the trace, and cheap: the name's STRING, or 0.
std::uint32_t name_as_before(std::uint64_t local, const LockIdentity& waited) {
  const bool is_it = local != 0 && gilscope_is_local(waited.object, waited.address,
                                                     local >> 8 & 0xFF, local & 0xFF) != 0;
  return is_it ? static_cast<std::uint32_t>(local >> 32) : 0;
}

void remember_local(std::atomic<std::uint64_t>* local, std::uint32_t string,
                    const gilscope_name& name) {
  if (local == nullptr || name.source != GILSCOPE_LOCAL_VARIABLE) return;
  local->store(std::uint64_t{string} << 32 | name.frame << 8 | name.place,
               std::memory_order_relaxed);
}

// Another thread may be doing the same for the same lock: it has one number, the first one's.
std::uint32_t agree(std::atomic<std::uint64_t>& object, std::uint32_t ends, std::uint32_t id) {
  std::uint64_t known = object.load(std::memory_order_relaxed);
  while (!is_since(known, ends)) {
    if (object.compare_exchange_weak(known, word(ends, id), std::memory_order_relaxed)) return id;
  }
  return static_cast<std::uint32_t>(known);
}

__attribute__((noinline)) std::uint32_t identify(Session& session, const LockIdentity& waited,
                                                 std::uint32_t stack, std::uint32_t ends,
                                                 std::atomic<std::uint64_t>& object) {
  const std::uint64_t known = object.load(std::memory_order_relaxed);
  std::atomic<std::uint64_t>* local = session.lock_places().locals.find(mix(stack));
  if (local != nullptr && !is_since(known, ends)) {
    const std::uint32_t same = name_as_before(local->load(std::memory_order_relaxed), waited);
    const LockTable::Found found =
        same != 0 ? find_id(session, waited, same, stack) : LockTable::Found{0, true};
    if (!found.is_new) return agree(object, ends, found.id);
  }
  gilscope_name name;
  const bool named = gilscope_find_name(waited.object, waited.address, &name) != 0;
  const std::uint32_t string = named ? session.string({name.text, name.length}) : 0;
  std::uint32_t id = static_cast<std::uint32_t>(known);
  if (!is_since(known, ends)) {
    const std::uint32_t creation = creation_of(session, waited);
    const std::uint32_t made_there = creation != 0 ? creation | kMadeThere : 0;
    const LockTable::Found found =
        find_id(session, waited, string != 0 ? string : made_there, stack);
    if (found.is_new && creation != 0) define_creation(session, found.id, creation);
    id = agree(object, ends, found.id);
  }
  if (named) {
    add_name(session, id, name);
    remember_local(local, string, name);
  }
  return id;
}

// The ends of other objects and locks are unknown.
std::uint32_t ends_of(const LockIdentity& waited) {
  if (is_watched(waited.kind)) return gilscope_ends_at(waited.object);
  return waited.kind == LockKind::thread_lock ? gilscope_ends_at(waited.address) : 0;
}

}  // namespace

void created(std::uintptr_t address, const void* frame) {
  if (Session::active() == nullptr) return;
  Recording recording;
  if (!recording) {
    // From now on it is unknown whether an entry is the latest one.
    missed_creations.store(true, std::memory_order_relaxed);
    return;
  }
  std::atomic<std::uint64_t>* stack =
      recording.session().lock_places().creations.find(mix(address));
  if (stack != nullptr) stack->store(stack::capture(recording, frame), std::memory_order_relaxed);
}

void begin_session() { missed_creations.store(false, std::memory_order_relaxed); }

std::uint32_t find(Recording& recording, const LockIdentity& waited, std::uint32_t stack) {
  Session& session = recording.session();
  if (waited.object == 0 && waited.kind != LockKind::thread_lock) {
    return find_id(session, waited, 0, stack).id;
  }
  const std::uint32_t ends = ends_of(waited);
  const std::uint64_t key =
      mix(waited.address ^ static_cast<std::uint64_t>(waited.kind) << 56) ^ waited.type;
  std::atomic<std::uint64_t>* object = session.lock_places().objects.find(mix(key));
  if (object == nullptr) return find_id(session, waited, 0, stack).id;
  std::atomic<std::uint64_t>* place = session.lock_places().waits.find(mix(mix(key) ^ stack));
  // No room to remember where it was waited for.
  const std::uint64_t known = (place != nullptr ? place : object)->load(std::memory_order_relaxed);
  if (is_since(known, ends)) return static_cast<std::uint32_t>(known);
  const std::uint32_t id = identify(session, waited, stack, ends, *object);
  if (is_watched(waited.kind)) session.names().remember(id, waited.object, ends);
  if (place != nullptr) place->store(word(ends, id), std::memory_order_relaxed);
  return id;
}

void name_allocations(Session& session) {
  session.names().for_each_unnamed(
      [&session](std::uint32_t lock, std::uintptr_t object, std::uint32_t ends) {
        char text[1024];
        // Of an object that has ended by now it may be the place of another one.
        const std::size_t length = gilscope_allocation_of(object, text, sizeof text);
        if (length == 0 || gilscope_ends_at(object) != ends) return;
        define_name(session, lock, {text, length},
                    static_cast<std::uint16_t>(format::NameSource::allocation));
      });
}

}  // namespace gilscope::lock_identity
