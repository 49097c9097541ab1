#include "bindings/probe.hpp"

#include <Python.h>
#include <pthread.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>

#include "core/got_patcher.hpp"
#include "core/session.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/lock_identity.hpp"
#include "cpython/names.h"
#include "cpython/self_test.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/loader.hpp"

namespace gilscope {
namespace {

// Changed only by whoever has set `busy`. Leaked on purpose: threads may run through hooks after
// the static destructors.
struct Probe {
  std::atomic<bool> busy{false};
  std::atomic<bool> running{false};
  bool initialized = false;
  ElfImage interpreter;
  // Held while slots are written, by whoever starts, stops or loads an object; never while anything
  // is waited for that may need the GIL.
  std::mutex patching;
  GotPatcher patcher;
  Session* session = nullptr;
  std::optional<SelfTestResult> self_test;
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

std::vector<Hook> hooks_of(const ElfImage& image, bool is_interpreter) {
  std::vector<Hook> hooks = is_interpreter ? hooks::interpreter_hooks() : hooks::other_hooks();
  if (!image.has_search_path()) {
    for (const Hook& hook : hooks::loader_hooks()) hooks.push_back(hook);
  }
  return hooks;
}

void patch_others(Probe& p) {
  for (const ElfImage& image : other_images(p.interpreter)) {
    if (!p.patcher.knows(image)) p.patcher.patch(image, hooks_of(image, false));
  }
}

void install_hooks(Probe& p) {
  const std::lock_guard<std::mutex> lock(p.patching);
  p.patcher.patch(p.interpreter, hooks_of(p.interpreter, true));
  patch_others(p);
}

std::size_t remove_hooks(Probe& p) {
  const std::lock_guard<std::mutex> lock(p.patching);
  return p.patcher.restore();
}

void objects_were_loaded() {
  Probe& p = probe();
  const std::lock_guard<std::mutex> lock(p.patching);
  if (p.running) patch_others(p);
}

void initialize(Probe& p) {
  if (p.initialized) return;
  if (const char* mismatch = gilscope_layout_mismatch()) throw ProbeFailure(mismatch);
  if (!ThreadLogs::initialize()) throw ProbeFailure("no memory for the threads' logs");
  p.interpreter = ElfImage::containing(reinterpret_cast<const void*>(&PyEval_SaveThread));
  if (p.interpreter.slots().empty()) {
    throw ProbeFailure("the interpreter has no relocation slots (statically linked?)");
  }
  const std::uintptr_t lock_types[2] = {type_of_new_lock("allocate_lock"),
                                        type_of_new_lock("RLock")};
  hooks::initialize(p.interpreter, lock_types[0], lock_types[1]);
  gilscope_name_locks(lock_types[0], lock_types[1]);
  hooks::loader::set_listener(objects_were_loaded);
  pthread_atfork(nullptr, nullptr, after_fork_in_child);
  p.initialized = true;
}

// Once a process: neither the interpreter nor the hooks change while it runs.
void test_once(Probe& p) {
  if (p.self_test) return;
  install_hooks(p);
  try {
    p.self_test = run_self_test();
  } catch (const std::system_error& error) {
    remove_hooks(p);
    throw ProbeFailure("the self-test could not run: " + error.code().message());
  } catch (...) {
    remove_hooks(p);
    throw;
  }
  remove_hooks(p);
}

void define_not_measured(Session& session, const SelfTestResult& result, std::size_t failed) {
  static constexpr std::string_view kPrefix = "not measured: ";
  auto define = [&session](const std::string& name, const std::string& reason) {
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(name.size()),
                                    static_cast<std::uint32_t>(reason.size())};
    session.file().define(format::DefinitionTag::not_measured, sizes, sizeof sizes, name, reason);
  };
  for (const auto& [name, outcome] : result) {
    if (outcome.rfind(kPrefix, 0) == 0) define(name, outcome.substr(kPrefix.size()));
  }
  if (failed != 0) {
    define("hooks", std::to_string(failed) + " slots are on pages that cannot be made writable");
  }
  if (!hooks::tells_forced_releases()) {
    define("forced_release", "the interpreter does not export _Py_HandlePending");
  }
  if (gilscope_is_free_threaded() != 0) {
    define("spin", "contention that ends before a thread goes to sleep is not recorded");
  }
}

Session* open_session(const std::string& path, std::uint64_t max_bytes,
                      const std::string& metadata) {
  return new Session({path, max_bytes, gilscope_is_free_threaded() != 0,
                      gilscope_gil_enabled() != 0, PY_VERSION_HEX, metadata});
}

}  // namespace

void start(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
           const std::vector<KnownThread>& threads) {
  Probe& p = probe();
  const Control control;
  if (p.session != nullptr) throw ProbeFailure("the probe is running already: stop it first");
  initialize(p);
  test_once(p);
  Session* session = open_session(path, max_bytes, metadata);
  for (const auto& [tid, ident, python, name] : threads) {
    session->declare(tid, ident, python ? format::kPythonThread : format::kNativeThread, name);
  }
  gilscope_watch_codes();  // where it cannot, stacks are told apart by what they say
  gilscope_watch_locks();
  hooks::begin_session(*session, gilscope_gil_enabled() != 0);
  session->activate();
  install_hooks(p);
  // A thread that was binding a function just then may have written over a slot.
  {
    const std::lock_guard<std::mutex> lock(p.patching);
    p.patcher.verify();
  }
  define_not_measured(*session, *p.self_test, p.patcher.failed());
  const std::uint64_t cost[2] = {0, captured_stack_cost()};
  session->file().define(format::DefinitionTag::probe_cost, cost, sizeof cost);
  p.session = session;
  p.running = true;
}

std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason) {
  Probe& p = probe();
  const Control control;
  Session* session = p.session;
  if (session == nullptr) throw ProbeFailure("the probe is not running: start it first");
  p.session = nullptr;
  p.running = false;
  const std::size_t slots_left = remove_hooks(p);
  lock_identity::name_allocations(*session);
  for (const auto& [tid, name] : names) session->name(tid, name);
  const bool quiet = session->deactivate();
  gilscope_unwatch_locks();
  gilscope_unwatch_codes();
  std::map<std::string, std::uint64_t> report{{"dropped", session->dropped()},
                                              {"slots_left", slots_left}};
  if (quiet) {
    session->finish(reason, gilscope_gil_enabled() != 0);
    report["events"] = session->events();
    report["bytes"] = session->file().bytes_used();
    delete session;
  } else {
    session->file().abandon();
    report["abandoned"] = 1;
  }
  return report;
}

bool running() { return probe().running; }

std::map<std::string, std::string> self_test() {
  Probe& p = probe();
  const Control control;
  if (p.session != nullptr) throw ProbeFailure("the probe is running: stop it first");
  initialize(p);
  p.self_test.reset();
  test_once(p);
  return *p.self_test;
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
      for (const Slot& slot : slots) n += slot.symbol == hook.symbol ? 1 : 0;
      if (n != 0 || all) report.emplace_back(hook.symbol, image.path(), n);
    }
  };
  count(p.interpreter, hooks_of(p.interpreter, true), true);
  for (const ElfImage& image : other_images(p.interpreter)) {
    count(image, hooks_of(image, false), false);
  }
  return report;
}

void name_thread(const std::string& name) {
  Recording recording;
  if (!recording) return;
  recording.slot().flags |= format::kPythonThread;
  recording.session().define_name(recording.log().index, name);
}

}  // namespace gilscope
