// Start and stop, and the reports on both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gilscope {

// One line that says what is wrong.
class ProbeFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// (tid, ident, started by the interpreter, name or "")
using KnownThread = std::tuple<std::uint32_t, std::uint64_t, bool, std::string>;

// `session` is that of the files it belongs to, 16 bytes, or empty.
void start(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
           const std::vector<KnownThread>& threads, bool ring, const std::string& session,
           bool native_locks);

// Counts: events, dropped, overwritten, bytes, slots_left. `names` are the names that living
// threads have now, by tid.
std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason);
bool running();
// See lifecycle.hpp.
void watch_ending(const std::string& path);

// Writes what is recorded so far to a trace of its own.
void snapshot(const std::string& path);

// What the recording that runs has counted, in the order of target/recording/openmetrics.py; empty
// without one. (count, ns) by kind of event and by kind of lock.
using CountAndTime = std::pair<std::uint64_t, std::uint64_t>;
using Counts =
    std::tuple<std::vector<CountAndTime>, std::vector<CountAndTime>, std::vector<std::uint64_t>,
               std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>;
std::optional<Counts> counted();

// Around a fork that the interpreter makes: the session's own thread must not be there.
void before_fork();
void after_fork_in_parent();

// The self-test makes threads and thread states, which would change the program: it runs in another
// process, whose report is adopted here. All of this is refused while a session runs.

// What a report must be for; by class of event what the one says that was adopted, if it is; and
// whether that one is worth keeping for other processes.
using SelfTestState = std::tuple<std::string, std::map<std::string, std::string>, bool>;
SelfTestState self_test_state();
// In that other process.
std::string test_here();
// False when the text is no report for this key, which self_test_state() has given.
bool adopt_self_test(const std::string& key, const std::string& text);
void lack_self_test(const std::string& key, const std::string& why);

// (function, object, slots that name it), for all hooks that could be installed now.
std::vector<std::tuple<std::string, std::string, std::size_t>> hook_report();

// When a span begins that is to be recorded, in ticks; 0 when no session runs.
std::uint64_t begin_span();
// What the program calls a stretch of time of the calling thread, which ends now, and how many
// bytes it was about; -1 if that is not known.
void end_span(const std::string& name, std::uint64_t start, std::int64_t bytes);

// Names the calling thread, which Python started. Does nothing when no session runs.
void name_thread(const std::string& name);

}  // namespace gilscope
