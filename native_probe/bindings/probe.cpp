#include "bindings/probe.hpp"

#include <pthread.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>

#include "bindings/self_test.hpp"
#include "core/got_patcher.hpp"
#include "core/native_stack.hpp"
#include "core/session.hpp"
#include "core/snapshot.hpp"
#include "cpython/cost.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/lock_identity.hpp"
#include "cpython/names.h"
#include "cpython/self_test.hpp"
#include "hooks/entries.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/loader.hpp"
#include "hooks/native_locks.hpp"

namespace gilscope {
namespace {

// Changed only by whoever has set `busy`. Leaked on purpose: threads may run through hooks after
// the static destructors.
struct Probe {
  std::atomic<bool> busy{false};
  std::atomic<bool> running{false};
  bool initialized = false;
  bool native_locks = true;  // wanted
  ElfImage interpreter;
  // Held while slots are written, by whoever starts, stops or loads an object; never while anything
  // is waited for that may need the GIL.
  std::mutex patching;
  GotPatcher patcher;
  Session* session = nullptr;
  std::atomic<bool> paused{false};  // its own thread, for a fork
};

Probe& probe() {
  static Probe& the_probe = *new Probe;
  return the_probe;
}

// Not a mutex: who waits for one holds the GIL, and the self-test gives the GIL up and wants it
// back.
class Control {
 public:
  Control() {
    if (probe().busy.exchange(true)) {
      throw ProbeFailure("another thread is starting or stopping the probe: try again");
    }
  }
  ~Control() { probe().busy = false; }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
};

void after_fork_in_child() {
  // Only this thread exists here and the file is the parent's: the child runs without a probe.
  Session::after_fork();
  ThreadLogs::after_fork();
  Probe& p = probe();
  p.patcher.restore();
  p.session = nullptr;
  p.running = false;
  p.paused = false;
  p.busy = false;  // whoever set it in the parent does not exist here
  new (&p.patching) std::mutex;
}

std::uintptr_t type_of_new_lock(const char* factory) {
  PyObject* module = PyImport_ImportModule("_thread");
  PyObject* lock = module != nullptr ? PyObject_CallMethod(module, factory, nullptr) : nullptr;
  const std::uintptr_t type =
      lock != nullptr ? gilscope_type_of(reinterpret_cast<std::uintptr_t>(lock)) : 0;
  PyErr_Clear();
  Py_XDECREF(lock);
  Py_XDECREF(module);
  return type;
}

// The code of importlib's _ModuleLock.acquire(); kept, so that no other code takes its place.
std::uintptr_t code_of_module_lock() {
  PyObject* module = PyImport_ImportModule("_frozen_importlib");
  PyObject* found = module;
  for (const char* name : {"_ModuleLock", "acquire", "__code__"}) {
    PyObject* next = found != nullptr ? PyObject_GetAttrString(found, name) : nullptr;
    Py_XDECREF(found);
    found = next;
  }
  PyErr_Clear();
  return reinterpret_cast<std::uintptr_t>(found);
}

// The objects that hooks go into besides the interpreter: all but us, the C library and the loader.
std::vector<ElfImage> other_images(const ElfImage& interpreter) {
  std::vector<ElfImage> images;
  for (ElfImage& image : ElfImage::all()) {
    const bool is_ours = image.contains(reinterpret_cast<const void*>(&other_images));
    const bool is_libc = image.path().find("/libc.so") != std::string::npos ||
                         image.path().find("/libpthread.so") != std::string::npos ||
                         image.path().find("/ld-linux") != std::string::npos;
    if (!is_ours && !is_libc && image.path() != interpreter.path()) images.push_back(image);
  }
  return images;
}

// The parts of the runtime that other_images() does not leave out: their locks are their own.
bool is_runtime(const ElfImage& image) {
  return image.path().find("/libstdc++.so") != std::string::npos ||
         image.path().find("/libgcc_s.so") != std::string::npos;
}

std::vector<Hook> hooks_of(const ElfImage& image, bool is_interpreter, bool native_locks) {
  std::vector<Hook> hooks = is_interpreter ? hooks::interpreter_hooks() : hooks::other_hooks();
  if (native_locks && !is_interpreter && !is_runtime(image)) {
    for (const Hook& hook : hooks::native_lock_hooks()) hooks.push_back(hook);
  }
  if (!image.has_search_path()) {
    for (const Hook& hook : hooks::loader_hooks(is_interpreter)) hooks.push_back(hook);
  }
  return hooks;
}

void patch_others(Probe& p) {
  for (const ElfImage& image : other_images(p.interpreter)) {
    if (!p.patcher.knows(image)) p.patcher.patch(image, hooks_of(image, false, p.native_locks));
  }
}

void install_hooks(Probe& p) {
  hooks::find_gils();
  const std::lock_guard<std::mutex> lock(p.patching);
  p.patcher.patch(p.interpreter, hooks_of(p.interpreter, true, false));
  patch_others(p);
}

std::size_t remove_hooks(Probe& p) {
  const std::lock_guard<std::mutex> lock(p.patching);
  return p.patcher.restore();
}

void objects_were_loaded() {
  Probe& p = probe();
  const std::lock_guard<std::mutex> lock(p.patching);
  if (!p.running) return;
  patch_others(p);
  native_stack::refresh();
}

void initialize(Probe& p) {
  if (p.initialized) return;
  if (const char* mismatch = gilscope_layout_mismatch()) throw ProbeFailure(mismatch);
  if (!ThreadLogs::initialize())
    throw ProbeFailure("no address space for the threads' logs, see ulimit -v");
  p.interpreter = ElfImage::containing(reinterpret_cast<const void*>(&PyEval_SaveThread));
  if (p.interpreter.slots().empty()) {
    throw ProbeFailure("the interpreter has no relocation slots (statically linked?)");
  }
  const std::uintptr_t lock_types[2] = {type_of_new_lock("allocate_lock"),
                                        type_of_new_lock("RLock")};
  hooks::initialize(p.interpreter, lock_types[0], lock_types[1], code_of_module_lock());
  gilscope_name_locks(lock_types[0], lock_types[1]);
  hooks::loader::set_listener(objects_were_loaded);
  pthread_atfork(nullptr, nullptr, after_fork_in_child);
  p.initialized = true;
}

// Installs the hooks and keeps the objects loaded that stacks may lead through.
void get_ready(Probe& p) {
  p.running = true;  // from here on, objects that are loaded are patched, too
  install_hooks(p);
  if (p.patcher.patches().empty()) {
    throw ProbeFailure("no hook can be installed: the relocation slots cannot be made writable");
  }
  const std::lock_guard<std::mutex> lock(p.patching);
  // A thread that was binding a function just then may have written over a slot.
  p.patcher.verify();
  native_stack::refresh();
}

SelfTestReport test(Probe& p) {
  SelfTestReport report;
  install_hooks(p);
  try {
    report = run_self_test(p.interpreter);
  } catch (const std::system_error& error) {
    remove_hooks(p);
    throw ProbeFailure("the self-test could not run: " + error.code().message());
  } catch (...) {
    remove_hooks(p);
    throw;
  }
  remove_hooks(p);
  // Last: the C library takes locks at less cost in a process that never had a second thread.
  const std::uint64_t bare = cost::pair();
  report.pair_cost = report.pair_cost > bare ? report.pair_cost - bare : 0;
  return report;
}

void define_not_measured(Session& session, const SelfTestResult& result, std::size_t failed,
                         bool native_locks) {
  static constexpr std::string_view kPrefix = "not measured: ";
  auto define = [&session](const std::string& name, const std::string& reason) {
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(name.size()),
                                    static_cast<std::uint32_t>(reason.size())};
    session.file().define(format::DefinitionTag::not_measured, sizes, sizeof sizes, name, reason);
  };
  for (const auto& [name, outcome] : result) {
    if (outcome.rfind(kPrefix, 0) == 0) define(name, outcome.substr(kPrefix.size()));
  }
  if (!native_locks) define("native_lock", "switched off (native_locks=False)");
  if (failed != 0) {
    define("hooks", std::to_string(failed) + " slots are on pages that cannot be made writable");
  }
  if (!hooks::tells_forced_releases()) {
    define("forced_release", "the interpreter does not export _Py_HandlePending");
  }
}

Session* open_session(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
                      bool ring, const std::string& session) {
  SessionOptions options{path,
                         max_bytes,
                         gilscope_is_free_threaded() != 0,
                         gilscope_gil_enabled() != 0,
                         PY_VERSION_HEX,
                         metadata,
                         ring};
  std::copy_n(session.begin(), std::min(session.size(), options.session.size()),
              options.session.begin());
  return new Session(options);
}

// A child that was made without the handlers of fork() has a copy of all this, and no session.
Session* session_of_this_process(const Probe& p) {
  return p.session != nullptr && p.session->pid() == getpid() ? p.session : nullptr;
}

// Unlike Control, for what is left out when somebody starts or stops the probe just now.
class ControlIfFree {
 public:
  ControlIfFree() : has_(!probe().busy.exchange(true)) {}
  ~ControlIfFree() {
    if (has_) probe().busy = false;
  }
  ControlIfFree(const ControlIfFree&) = delete;
  ControlIfFree& operator=(const ControlIfFree&) = delete;
  explicit operator bool() const { return has_; }

 private:
  bool has_;
};

}  // namespace

void start(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
           const std::vector<KnownThread>& threads, bool ring, const std::string& session_id,
           bool native_locks) {
  Probe& p = probe();
  const Control control;
  if (p.session != nullptr) throw ProbeFailure("the probe is running already: stop it first");
  p.native_locks = native_locks;
  initialize(p);
  const SelfTestReport* report = self_test::known(self_test::key(p.interpreter));
  if (report == nullptr) throw ProbeFailure("the self-test has not run in this interpreter");
  Session* session = nullptr;
  try {
    // Before there is a session, which would record what it costs; until then hooks do nothing.
    get_ready(p);
    session = open_session(path, max_bytes, metadata, ring, session_id);
  } catch (...) {
    p.running = false;
    remove_hooks(p);
    native_stack::release();
    throw;
  }
  for (const auto& [tid, ident, python, name] : threads) {
    session->declare(tid, ident, python ? format::kPythonThread : format::kNativeThread, name);
  }
  gilscope_watch_codes();  // where it cannot, stacks are told apart by what they say
  lock_identity::begin_session();
  gilscope_watch_locks(lock_identity::created);
  hooks::begin_session(*session, gilscope_gil_enabled() != 0);
  session->activate();
  const std::uint64_t costs[2] = {report->pair_cost, report->stack_cost};
  session->file().define(format::DefinitionTag::probe_cost, costs, sizeof costs);
  define_not_measured(*session, report->outcomes, p.patcher.failed(), native_locks);
  p.session = session;
}

std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason) {
  Probe& p = probe();
  const Control control;
  Session* session = session_of_this_process(p);
  if (session == nullptr) throw ProbeFailure("the probe is not running: start it first");
  p.session = nullptr;
  p.running = false;
  session->end_recording();                   // what follows is ours
  hooks::native_locks::name_locks(*session);  // while the objects are kept loaded
  const std::size_t slots_left = remove_hooks(p);
  lock_identity::name_allocations(*session);
  for (const auto& [tid, name] : names) session->name(tid, name);
  const bool quiet = session->deactivate();
  gilscope_unwatch_locks();
  gilscope_unwatch_codes();
  std::map<std::string, std::uint64_t> report{{"dropped", session->dropped()},
                                              {"slots_left", slots_left}};
  report["error"] = static_cast<std::uint64_t>(session->file().error());
  if (quiet) {
    // Not from what somebody else may have written.
    if (!session->file().truncated()) hooks::entries::resolve(*session);
    native_stack::release();
    session->finish(reason, gilscope_gil_enabled() != 0);
    report["events"] = session->events() - session->file().overwritten();
  } else {
    report["events"] = session->events_in_file();
    session->abandon(reason, gilscope_gil_enabled() != 0);
    report["abandoned"] = 1;
  }
  report["overwritten"] = session->file().overwritten();
  report["fate"] = static_cast<std::uint64_t>(session->file().fate());
  report["bytes"] = session->file().bytes_used();
  if (quiet) delete session;
  return report;
}

bool running() { return probe().running && session_of_this_process(probe()) != nullptr; }

void snapshot(const std::string& path) {
  Probe& p = probe();
  const Control control;
  Session* session = session_of_this_process(p);
  if (session == nullptr) throw ProbeFailure("the probe is not running: start it first");
  const bool gil_enabled = gilscope_gil_enabled() != 0;
  // The program goes on meanwhile.
  const pybind11::gil_scoped_release released;
  write_snapshot(*session, path, gil_enabled);
}

// The interpreter warns of a fork in a process that has more than one thread.
void before_fork() {
  Probe& p = probe();
  const ControlIfFree control;
  if (control && p.session != nullptr && p.session->pause_feeder()) p.paused = true;
}

void after_fork_in_parent() {
  Probe& p = probe();
  const ControlIfFree control;
  if (!control || !p.paused.exchange(false)) return;
  if (p.session != nullptr && !single_threaded()) p.session->gets_threads();
}

namespace {

// For what is done about the self-test, which the hooks of a session go by.
Probe& probe_without_session() {
  Probe& p = probe();
  if (session_of_this_process(p) != nullptr) {
    throw ProbeFailure("the probe is running already: stop it first");
  }
  initialize(p);
  return p;
}

}  // namespace

SelfTestState self_test_state() {
  const Control control;
  const std::string key = self_test::key(probe_without_session().interpreter);
  const SelfTestReport* report = self_test::known(key);
  if (report == nullptr) return {key, {}, false};
  return {key, report->outcomes, report->complete};
}

std::string test_here() {
  const Control control;
  Probe& p = probe_without_session();
  return write_report(test(p), self_test::key(p.interpreter));
}

bool adopt_self_test(const std::string& text) {
  const Control control;
  Probe& p = probe_without_session();
  return self_test::adopt(p.interpreter, self_test::key(p.interpreter), text);
}

void lack_self_test(const std::string& why) {
  const Control control;
  Probe& p = probe_without_session();
  self_test::lack(p.interpreter, self_test::key(p.interpreter), why);
}


std::vector<std::tuple<std::string, std::string, std::size_t>> hook_report() {
  Probe& p = probe();
  const Control control;
  initialize(p);
  std::vector<std::tuple<std::string, std::string, std::size_t>> report;
  auto count = [&report](const ElfImage& image, const std::vector<Hook>& hooks, bool all) {
    const std::vector<Slot> slots = image.slots();
    for (const Hook& hook : hooks) {
      std::size_t n = 0;
      for (const Slot& slot : slots) n += GotPatcher::is_for(image, slot, hook) ? 1 : 0;
      if (n != 0 || all) report.emplace_back(hook.symbol, image.path(), n);
    }
  };
  count(p.interpreter, hooks_of(p.interpreter, true, false), true);
  for (const ElfImage& image : other_images(p.interpreter)) {
    count(image, hooks_of(image, false, true), false);
  }
  return report;
}

std::uint64_t begin_span() { return Session::active_id() != 0 ? Clock::ticks() : 0; }

void end_span(const std::string& name, std::uint64_t start, std::int64_t bytes) {
  const std::uint64_t end = Clock::ticks();
  Recording recording;
  if (!recording || start == 0 || end < start) return;
  const std::uint64_t size =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)), format::kMostBytes);
  recording.emit(format::EventKind::span, bytes < 0 ? 0 : format::span_flag::kBytes,
                 static_cast<std::uint16_t>(size >> 32), recording.session().string(name), start,
                 end - start, static_cast<std::uint32_t>(size));
}

void name_thread(const std::string& name) {
  Recording recording;
  // Threads of a library that are none of the system's run in one that has a name.
  if (!recording || recording.log().named) return;
  recording.log().named = true;
  recording.slot().flags |= format::kPythonThread;
  recording.session().define_name(recording.log().index, name);
}

}  // namespace gilscope
