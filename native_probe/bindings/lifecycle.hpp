// The probe's life in one process, as one state machine: docs/decisions/0010-life-cycle.md has it
// as a table.
//
//     idle → starting → running → stopping → idle
//
// Rules, for all that is called from here:
// - One transition at a time: whoever wants to make one, or to copy the session, waits for its
// Turn,
//   without the GIL. So whoever has the turn may give the GIL up and want it back.
// - The loader is asked without the GIL: its lock may be held by a thread that runs a constructor,
//   which may want the GIL.
// - Under a lock of ours the loader is not asked, no memory is taken, and nothing is waited for
// that
//   may need the GIL or a lock. There are two: `sessions` here, under which the session's own
//   thread is ended for a fork, and `patching` of hooks/installation, which is held for moments.
// - A forked child is idle, whatever its parent was doing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/session.hpp"
#include "cpython/self_test_report.hpp"

namespace gilscope::lifecycle {

enum class State { idle, starting, running, stopping };

// The parts of a start that do not belong to the life cycle.
struct Opening {
  bool native_locks;
  // Makes the session, of which the header says that recording begins now. May throw.
  std::function<Session*()> open;
  // Writes the definitions that precede all records, with the GIL.
  std::function<void(Session&)> declare;
  // The same as the first thing after recording has begun.
  std::function<void(Session&, const SelfTestReport&)> describe;
};

// idle → running; idle again when something is thrown. Refused unless idle.
void start(const Opening& opening);

// running → idle. `names` are the names that living threads have now, by tid. Returns counts:
// events, dropped, overwritten, bytes, slots_left. Refused, and nothing is changed, unless running.
std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason);

// The program is over and this was its trace: what native threads do while the interpreter ends is
// added to it. Does nothing unless idle.
void watch_ending(const std::string& trace);

// Whether a session of this process is running: not one of a process that forked this one.
bool running();

// Writes what is recorded so far to a trace of its own. Refused unless running.
void snapshot(const std::string& path);

// What the recording of this process has counted; times in ns, sizes in bytes.
struct Counted {
  EventSums sums;  // with ns for ticks
  std::array<std::uint64_t, EventSums::kLockKinds> locks;
  std::uint64_t dropped;
  std::uint64_t overwritten;
  std::uint64_t size;
  std::uint64_t start;  // on CLOCK_REALTIME
};

// Nothing where no recording of this process runs.
std::optional<Counted> counted();

// Calls `body` while nobody starts or stops; the second one is refused unless idle.
void in_turn(const std::function<void()>& body);
void while_idle(const std::function<void()>& body);

// Around a fork that the interpreter makes, which warns of one in a process that has more than one
// thread: the session's own thread must not be there. The handlers of fork() itself are our own.
void before_python_forks();
void after_python_forked_in_parent();

}  // namespace gilscope::lifecycle
