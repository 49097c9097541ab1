#include "bindings/lifecycle.hpp"

#include <cxxabi.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>

#include "bindings/detached.hpp"
#include "bindings/not_measured.hpp"
#include "bindings/probe.hpp"
#include "bindings/readiness.hpp"
#include "core/page_feeder.hpp"
#include "core/snapshot.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/lock_identity.hpp"
#include "cpython/names.h"
#include "hooks/ending.hpp"
#include "hooks/entries.hpp"
#include "hooks/hazards.hpp"
#include "hooks/installation.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/static_locks.hpp"

namespace gilscope::lifecycle {
namespace {

// Leaked on purpose: threads may run through hooks after the static destructors.
struct Life {
  std::atomic<State> state{State::idle};  // changed by the thread that has the turn

  std::mutex turns;
  std::condition_variable turn_is_free;
  std::atomic<pthread_t> turn_of{0};  // 0: it is free
  bool watches_forks = false;         // for the turn's owner

  // What is under it does not go while it is held.
  std::mutex sessions;
  Session* session = nullptr;
  int forks = 0;        // that the interpreter is about to make, or has just made
  bool paused = false;  // the session's own thread, for them
};

// As hooks::installation's.
Life& the_life = *new Life;

Life& life() { return the_life; }

class Turn {
 public:
  Turn() {
    // A signal's handler, or a destructor, that ran in the middle of a start.
    if (life().turn_of == pthread_self()) {
      throw ProbeFailure("this thread is starting or stopping the probe just now");
    }
    if (try_take()) return;
    bool taken = false;
    try {
      without_gil([&taken] {
        std::unique_lock<std::mutex> lock(life().turns);
        life().turn_is_free.wait(lock, [] { return try_take(); });
        taken = true;
      });
    } catch (...) {
      // The interpreter has ended, and this thread with it.
      if (taken) give_back();
      throw;
    }
  }
  ~Turn() { give_back(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  static void give_back() {
    {
      const std::lock_guard<std::mutex> lock(life().turns);
      life().turn_of = 0;
    }
    life().turn_is_free.notify_one();
  }

  static bool try_take() {
    pthread_t nobody = 0;
    return life().turn_of.compare_exchange_strong(nobody, pthread_self());
  }
};

// On the way to `running`; back to idle unless it gets there.
class Starting {
 public:
  Starting() { life().state = State::starting; }
  ~Starting() { life().state = arrived_ ? State::running : State::idle; }
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;
  void arrived() { arrived_ = true; }

 private:
  bool arrived_ = false;
};

// On the way to `idle`, whatever happens there.
class Stopping {
 public:
  Stopping() { life().state = State::stopping; }
  ~Stopping() { life().state = State::idle; }
  Stopping(const Stopping&) = delete;
  Stopping& operator=(const Stopping&) = delete;
};

// For the turn's owner. A child that was made without the handlers of fork() has a copy of all
// this, and no session.
Session* session_of_this_process() {
  Session* session = life().session;
  return session != nullptr && session->pid() == getpid() ? session : nullptr;
}

Session* needed_session() {
  Session* session = session_of_this_process();
  if (session == nullptr) throw ProbeFailure("the probe is not running: start it first");
  return session;
}

void set_session(Session* session) {
  const std::lock_guard<std::mutex> lock(life().sessions);
  life().session = session;
}

// The handlers of fork(), in whichever thread calls it. `patching` is held over it, so that no slot
// and no list is half written in the child; everything else is made anew there.
void before_fork() { hooks::installation::before_fork(); }

void after_fork_in_parent() { hooks::installation::after_fork_in_parent(); }

void after_fork_in_child() {
  Session::after_fork();  // the file is the parent's
  ThreadLogs::after_fork();
  hooks::after_fork_in_child();
  hooks::installation::after_fork_in_child();
  Life& own = life();
  own.state = State::idle;
  new (&own.turns) std::mutex;
  new (&own.turn_is_free) std::condition_variable;
  own.turn_of = 0;
  new (&own.sessions) std::mutex;
  own.session = nullptr;
  own.forks = 0;
  own.paused = false;
  own.watches_forks = true;  // as this shows; the thread that did it may not have got to say so
}

void watch_forks() {
  if (life().watches_forks) return;
  if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) {
    throw ProbeFailure("no memory for the handlers of fork()");
  }
  life().watches_forks = true;
}

void install_hooks(bool native_locks) {
  without_gil([native_locks] {
    hooks::installation::install(native_locks);
    if (!hooks::installation::has_hooks()) {
      throw ProbeFailure("no hook can be installed: the relocation slots cannot be made writable");
    }
  });
}

void remove_hooks() {
  hooks::installation::remove();
  hooks::installation::release();
}

// Before there is a session, which would record what it costs; until then hooks do nothing.
Session* hooked_session(const Opening& opening) {
  try {
    install_hooks(opening.native_locks);
    return opening.open();
  } catch (const abi::__forced_unwind&) {
    remove_hooks();  // this thread has no GIL any more
    throw;
  } catch (...) {
    without_gil(remove_hooks);
    throw;
  }
}

// The rest of a stop, when no thread records any more; without the GIL.
std::map<std::string, std::uint64_t> finish(Session* session, const std::string& reason,
                                            bool gil_enabled) {
  hooks::installation::look_unseen();   // to say so
  hooks::static_locks::name(*session);  // while the objects are kept loaded
  std::map<std::string, std::uint64_t> report{{"slots_left", hooks::installation::remove()}};
  const bool quiet = session->deactivate();
  if (quiet) hooks::end_session();
  report["dropped"] = session->dropped();
  report["error"] = static_cast<std::uint64_t>(session->file().error());
  not_measured::define_late_objects(*session);
  if (quiet) {
    // Not from data that another process may have written.
    if (!session->file().truncated()) hooks::entries::resolve(*session);
    hooks::installation::release();
    session->finish(reason, gil_enabled);
    report["events"] = session->events() - session->file().overwritten();
  } else {
    hooks::installation::keep_for_ever();
    report["events"] = session->events_in_file();
    session->abandon(reason, gil_enabled);
    report["abandoned"] = 1;
  }
  report["overwritten"] = session->file().overwritten();
  report["fate"] = static_cast<std::uint64_t>(session->file().fate());
  report["bytes"] = session->file().bytes_used();
  if (quiet) delete session;
  return report;
}

// From here on there are records.
void begin(const Opening& opening, Session* session, const SelfTestReport& tested) {
  opening.declare(*session);
  gilscope_watch_codes();  // where it cannot, stacks are told apart by what they say
  lock_identity::begin_session();
  hooks::hazards::begin_session();
  gilscope_watch_locks(lock_identity::created);
  hooks::begin_session(*session, gilscope_gil_enabled() != 0);
  set_session(session);
  session->activate();
  opening.describe(*session, tested);
}

std::map<std::string, std::uint64_t> report_of_end(
    Session* session, const std::map<std::uint32_t, std::string>& names,
    const std::string& reason) {
  lock_identity::name_allocations(*session);
  hooks::hazards::define_counts(*session);
  for (const auto& [tid, name] : names) session->name(tid, name);
  const bool gil_enabled = gilscope_gil_enabled_for_good() != 0;
  std::map<std::string, std::uint64_t> report;
  without_gil([&] {
    report = finish(session, reason, gil_enabled);
    life().state = State::idle;
  });
  return report;
}

// The end of a session, also of one that has begun in part.
std::map<std::string, std::uint64_t> end(Session* session,
                                         const std::map<std::uint32_t, std::string>& names,
                                         const std::string& reason) {
  const Stopping stopping;
  set_session(nullptr);
  session->end_recording();  // what follows is ours
  std::map<std::string, std::uint64_t> report;
  try {
    report = report_of_end(session, names, reason);
  } catch (const abi::__forced_unwind&) {
    throw;  // the interpreter has ended
  } catch (...) {
    // There is no memory. The trace stays without END, and its mapping for ever.
    without_gil([] {
      hooks::installation::remove();
      hooks::installation::keep_for_ever();
    });
    gilscope_unwatch_locks();
    gilscope_unwatch_codes();
    throw;
  }
  gilscope_unwatch_locks();
  gilscope_unwatch_codes();
  return report;
}

}  // namespace

void start(const Opening& opening) {
  const Turn turn;
  if (session_of_this_process() != nullptr) {
    throw ProbeFailure("the probe is running already: stop it first");
  }
  Starting starting;
  watch_forks();
  // Asked for once: nothing is refused any more when the session records.
  const SelfTestReport& tested = readiness::report();
  hooks::find_gils();
  Session* session = hooked_session(opening);
  try {
    begin(opening, session, tested);
  } catch (const abi::__forced_unwind&) {
    remove_hooks();  // before there was a record; this thread has no GIL any more
    throw;
  } catch (...) {
    end(session, {}, "stop");
    throw;
  }
  starting.arrived();
}

std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason) {
  const Turn turn;
  return end(needed_session(), names, reason);
}

void watch_ending(const std::string& trace) {
  const Turn turn;
  if (session_of_this_process() != nullptr) return;
  without_gil([&] { hooks::ending::watch(trace); });
}

bool running() {
  if (life().state != State::running) return false;
  const std::lock_guard<std::mutex> lock(life().sessions);
  return session_of_this_process() != nullptr;
}

void snapshot(const std::string& path) {
  const Turn turn;
  Session* session = needed_session();
  const bool gil_enabled = gilscope_gil_enabled_for_good() != 0;
  // The program goes on meanwhile.
  without_gil([&] { write_snapshot(*session, path, gil_enabled); });
}

std::optional<Counted> counted() {
  const Turn turn;
  Session* session = session_of_this_process();
  if (session == nullptr) return std::nullopt;
  Counted found{};
  // The program goes on meanwhile.
  without_gil([&] {
    found.sums = session->event_sums();
    format::FileHeader header;
    std::memcpy(&header, session->file().header(), sizeof header);
    // One rate for the whole recording: numbers must not fall because a better one is known.
    const double ns =
        header.ticks_per_second == 0 ? 1 : 1e9 / static_cast<double>(header.ticks_per_second);
    const auto scale = [ns](std::uint64_t& ticks) {
      ticks = static_cast<std::uint64_t>(static_cast<double>(ticks) * ns);
    };
    std::for_each(found.sums.ticks.begin(), found.sums.ticks.end(), scale);
    std::for_each(found.sums.lock_wait_ticks.begin(), found.sums.lock_wait_ticks.end(), scale);
    found.locks = session->counters().locks();
    found.dropped = session->dropped();
    found.overwritten = session->file().overwritten();
    found.size = session->file().bytes_used();
    found.start = header.start_realtime;
  });
  return found;
}

void in_turn(const std::function<void()>& body) {
  const Turn turn;
  body();
}

void while_idle(const std::function<void()>& body) {
  const Turn turn;
  if (session_of_this_process() != nullptr) {
    throw ProbeFailure("the probe is running already: stop it first");
  }
  watch_forks();
  body();
}

void before_python_forks() {
  hooks::installation::before_python_forks();
  Life& own = life();
  const std::lock_guard<std::mutex> lock(own.sessions);
  ++own.forks;
  if (session_of_this_process() != nullptr && own.session->pause_feeder()) own.paused = true;
}

void after_python_forked_in_parent() {
  Life& own = life();
  const std::lock_guard<std::mutex> lock(own.sessions);
  if (own.forks > 0) {
    --own.forks;
    hooks::installation::after_python_forked_in_parent();
  }
  if (own.forks != 0 || !own.paused) return;
  own.paused = false;
  if (session_of_this_process() != nullptr && !single_threaded()) own.session->gets_threads();
}

}  // namespace gilscope::lifecycle
