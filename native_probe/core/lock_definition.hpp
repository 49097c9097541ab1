// The LOCK definition of something that a thread waits for.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/session.hpp"

namespace gilscope {

struct LockIdentity {
  format::LockKind kind = format::LockKind::unidentified;
  std::uintptr_t address = 0;
  std::uintptr_t object = 0;
  std::uintptr_t type = 0;
};

// The lock's number in the session. `distinction`: what else tells it from another lock that was at
// its address before, below 2^32. `type_name(type)` is asked for once a lock.
template <typename TypeName>
LockTable::Found find_lock(Session& session, const LockIdentity& lock, std::uint32_t distinction,
                           TypeName type_name) {
  const auto kind = static_cast<std::uint16_t>(lock.kind);
  const LockTable::Found found =
      session.locks().find(lock.address, kind, lock.type ^ std::uint64_t{distinction} << 32);
  if (!found.is_new) return found;
  const std::string_view name = lock.type != 0 ? type_name(lock.type) : std::string_view();
  const format::LockBody body{
      found.id, kind, 0, lock.address, lock.object, static_cast<std::uint32_t>(name.size()), 0};
  if (!session.file().define(body, name)) {
    // No room just now: the next one to meet the lock tries again.
    session.locks().forget(found.id);
  } else {
    session.counters().define_lock(found.id, kind);
  }
  return found;
}

// Places where threads waited for a lock, in order: the first one names a lock without a name.
inline void define_first_wait(Session& session, std::uint32_t lock, std::uint32_t stack) {
  if (lock == 0 || stack == 0) return;
  session.file().define(format::LockWaitedBody{lock, stack});
}

inline LockTable::Found find_nameless_lock(Session& session, const LockIdentity& lock) {
  return find_lock(session, lock, 0, [](std::uintptr_t) { return std::string_view(); });
}

}  // namespace gilscope
