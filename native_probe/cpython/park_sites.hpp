// Where the interpreter goes to sleep in its parking lot.
#pragma once

#include <semaphore.h>

#include <cstdint>
#include <vector>

#include "core/elf_image.hpp"

namespace gilscope::parking {

// What learn_sites() found, as distances from the beginning of the interpreter's image.
using ParkSites = std::vector<std::uintptr_t>;

// Once a process.
void find_sites(const ElfImage& interpreter);

// Whether a call of sem_wait that returns to `caller` was made by _PySemaphore_Wait.
bool is_park(const void* caller);

// Who called a hook of sem_wait, from the innermost on: return addresses.
struct Callers {
  explicit Callers(const char* frame);
  static constexpr std::size_t kMost = 8;
  const void* at[kMost];
  std::size_t count;
};

// Whether the semaphore stands in an entry of the parking lot: it was proved, here or by
// learn_sites(), that the function which sleeps on it is _PyParkingLot_Park.
struct Park {
  enum class Answer { unknown, no, yes } answer;
  std::size_t callers;  // where in Callers it is who called that function
};
Park in_parking_lot(const sem_t* semaphore, const Callers& callers);

// Whether there are functions with an entry of the parking lot besides _PyParkingLot_Park itself.
bool has_copies();

// Compilers make copies of _PyParkingLot_Park for some of its callers, which have no symbol. Waits
// for a lock that is known, so that the copies that locks use show themselves. With the hooks in
// place and a session active; needs an attached thread state, gives the GIL up for moments.
// False when a wait that was to be seen was not, for want of a thread or of time.
bool learn_sites();
ParkSites learnt_park_sites();
// What another process of this interpreter has learnt; false when it cannot be true here.
bool adopt_park_sites(const ParkSites& sites);

}  // namespace gilscope::parking
