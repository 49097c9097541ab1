// Gives each lock that was waited for a small number, once, without a lock.
#pragma once

#include <cstdint>

#include "core/id_table.hpp"

namespace gilscope {

class LockTable {
 public:
  using Found = IdTable::Found;
  static constexpr std::uint32_t kCapacity = 1 << 16;

  // Locks are told apart by address, kind and the type of the object that they belong to: an
  // address that is used again for an object of another type is another lock.
  Found find(std::uintptr_t address, std::uint32_t kind, std::uintptr_t type) {
    return ids_.find(mix(mix(address ^ (std::uint64_t{kind} << 56)) ^ type));
  }

  void forget(std::uint32_t id) { ids_.forget(id); }

 private:
  IdTable ids_{kCapacity};
};

}  // namespace gilscope
