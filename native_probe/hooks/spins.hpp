// Hook for sched_yield(): what a thread of a free-threaded build does for a while when it finds a
// lock taken, before it goes to sleep.
#pragma once

#include <cstdint>
#include <vector>

#include "core/elf_image.hpp"

namespace gilscope::hooks::spins {

// What the interpreter calls instead of sched_yield(): keeps the caller's registers for us.
int (*hook())();

// The self-test finds out which calls of sched_yield() belong to locks, and which register then
// holds the lock's address. It makes a thread run into a lock that it knows, through each function
// that can wait for one, on several locks.
class Calibration {
 public:
  Calibration();
  ~Calibration();
  Calibration(const Calibration&) = delete;
  Calibration& operator=(const Calibration&) = delete;

  // Before the calling thread runs into the lock at this address; 0: no more.
  static void expect(std::uintptr_t address);

  // Calls `function` with something in all registers that it must preserve that is no address: a
  // register that holds the lock's afterwards was loaded by the function, and holds it for
  // everybody who calls it.
  static void call(void* function, const void* a, const void* b, const void* c = nullptr);

  // Puts to use what was learnt: how many calls belong to locks, and for how many the lock is
  // known.
  struct Result {
    int sites;
    int proven;
  };
  static Result finish();
};

// A call of sched_yield() that belongs to a lock: its return address, as a distance from the
// beginning of the interpreter's image, and which registers then hold the lock's address and a
// count of turns.
struct SiteOffset {
  std::uintptr_t offset;
  std::uint8_t locks;
  std::uint8_t counts;
};
using Sites = std::vector<SiteOffset>;

// What is in use.
Sites sites_in_use(const ElfImage& interpreter);
// Puts to use what another process of this interpreter has learnt; false when it cannot be true
// here.
bool adopt(const ElfImage& interpreter, const Sites& learnt);

}  // namespace gilscope::hooks::spins
