#include "cpython/lock_identity.hpp"

#include <string_view>

#include "cpython/layout.h"
#include "cpython/names.h"

namespace gilscope::lock_identity {
namespace {

using format::LockKind;

// `name`: a STRING, or 0.
LockTable::Found find_id(Session& session, const LockIdentity& lock, std::uint32_t name) {
  return find_lock(session, lock, name, [](std::uintptr_t type) {
    return std::string_view(gilscope_type_name(type));
  });
}

void add_name(Session& session, std::uint32_t lock, const gilscope_name& name) {
  session.names().add(lock, static_cast<std::uint16_t>(name.source), {name.text, name.length},
                      [&session, lock](std::string_view all, std::uint16_t source) {
                        const format::LockNameBody body{lock, session.string(all), source, 0, 0};
                        session.file().define(format::DefinitionTag::lock_name, &body, sizeof body);
                      });
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

__attribute__((noinline)) std::uint32_t identify(Session& session, const LockIdentity& waited,
                                                 std::uint32_t stack, std::uint32_t ends,
                                                 std::atomic<std::uint64_t>& object) {
  const std::uint64_t known = object.load(std::memory_order_relaxed);
  std::atomic<std::uint64_t>* local = session.lock_places().locals.find(mix(stack));
  if (local != nullptr && !is_since(known, ends)) {
    const std::uint32_t same = name_as_before(local->load(std::memory_order_relaxed), waited);
    if (same != 0) {
      const LockTable::Found found = find_id(session, waited, same);
      if (!found.is_new) return found.id;
    }
  }
  gilscope_name name;
  const bool named = gilscope_find_name(waited.object, waited.address, &name) != 0;
  const std::uint32_t string = named ? session.string({name.text, name.length}) : 0;
  const std::uint32_t id = is_since(known, ends) ? static_cast<std::uint32_t>(known)
                                                 : find_id(session, waited, string).id;
  if (named) {
    add_name(session, id, name);
    remember_local(local, string, name);
  }
  return id;
}

}  // namespace

std::uint32_t find(Recording& recording, const LockIdentity& waited, std::uint32_t stack) {
  Session& session = recording.session();
  if (waited.object == 0 && waited.kind != LockKind::thread_lock) {
    return find_id(session, waited, 0).id;
  }
  const std::uint32_t ends = gilscope_ends_at(waited.object != 0 ? waited.object : waited.address);
  const std::uint64_t key =
      mix(waited.address ^ static_cast<std::uint64_t>(waited.kind) << 56) ^ waited.type;
  std::atomic<std::uint64_t>* place = session.lock_places().waits.find(mix(mix(key) ^ stack));
  std::atomic<std::uint64_t>* object = session.lock_places().objects.find(mix(key));
  if (place == nullptr || object == nullptr) return find_id(session, waited, 0).id;
  const std::uint64_t known = place->load(std::memory_order_relaxed);
  if (is_since(known, ends)) return static_cast<std::uint32_t>(known);
  const std::uint32_t id = identify(session, waited, stack, ends, *object);
  object->store(word(ends, id), std::memory_order_relaxed);
  place->store(word(ends, id), std::memory_order_relaxed);
  return id;
}

}  // namespace gilscope::lock_identity
