#include "hooks/ending.hpp"

#include <Python.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/native_stack.hpp"
#include "core/session.hpp"
#include "core/sleeping_stack.hpp"
#include "hooks/gil.hpp"
#include "hooks/installation.hpp"

namespace gilscope::hooks::ending {
namespace {

using format::DefinitionTag;

// Numbers of definitions in the session were below this.
constexpr std::uint32_t kFirstId = (1u << 16) + 1;
// Chunks in the session had lower numbers.
constexpr std::uint64_t kFirstSequence = std::uint64_t{1} << 40;
constexpr std::uint32_t kMost = 64;  // threads that are written down
constexpr std::size_t kFrames = 16;
constexpr std::size_t kLongestPath = 512;

int file = -1;
pid_t process = 0;
std::size_t alignment = 0;
std::atomic<std::uint32_t> written{0};
std::atomic<std::uint32_t> written_tids[kMost];

// Native code asks for the GIL by one of these.
struct Entrance {
  const char* name;
  CodeRange code;
};
Entrance entrances[] = {
    {"PyGILState_Ensure", {}}, {"PyEval_RestoreThread", {}}, {"PyEval_AcquireThread", {}}};

// The definitions of one chunk. Each thread that is written down has numbers of its own.
class Chunk {
 public:
  explicit Chunk(std::uint32_t n)
      : sequence_(kFirstSequence + n), next_id_(kFirstId + n * kIdsEach), bytes_(sizeof header_) {}

  std::uint32_t string(std::string_view text) {
    const format::StringBody body{next_id_++, static_cast<std::uint32_t>(text.size())};
    define(body.kTag, &body, sizeof body, text);
    return body.id;
  }

  std::uint32_t site(const void* address) {
    const native_stack::Object object = native_stack::object_of(address);
    format::SiteBody body{};
    body.offset = reinterpret_cast<std::uint64_t>(address);
    if (object.path != nullptr) {
      body.module = module(object);
      body.offset -= object.base;
    }
    body.id = next_id_++;
    define(body.kTag, &body, sizeof body);
    return body.id;
  }

  std::uint32_t stack(const void* const* addresses, std::size_t n) {
    format::Stack<kFrames> stack;
    for (std::size_t i = 0; i < n; ++i) stack.add_site(site(addresses[i]));
    stack.head.id = next_id_++;
    define(stack.head.kTag, &stack, stack.size());
    return stack.head.id;
  }

  void define(DefinitionTag tag, const void* fixed, std::size_t size, std::string_view text = {}) {
    format::DefinitionHeader header{static_cast<std::uint16_t>(tag), 0, 0};
    const std::size_t whole = format::definition_length(size + text.size());
    header.length = static_cast<std::uint32_t>(whole);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + whole);
    std::memcpy(&bytes_[at], &header, sizeof header);
    std::memcpy(&bytes_[at + sizeof header], fixed, size);
    if (!text.empty()) std::memcpy(&bytes_[at + sizeof header + size], text.data(), text.size());
  }

  // In one piece: another thread may do so at the same time.
  void write() {
    const std::size_t used = bytes_.size() - sizeof header_;
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    header_.magic = format::kChunkMagic;
    header_.kind = static_cast<std::uint16_t>(format::ChunkKind::definitions);
    header_.size = static_cast<std::uint32_t>(bytes_.size());
    header_.sequence = sequence_;
    header_.open_ticks = Clock::ticks();
    header_.header_checksum =
        format::checksum(&header_, offsetof(format::ChunkHeader, header_checksum));
    header_.state = format::kSealed;
    header_.used = static_cast<std::uint32_t>(used);
    header_.checksum = format::checksum(&bytes_[sizeof header_], used);
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    const ssize_t done = ::write(file, bytes_.data(), bytes_.size());
    (void)done;  // a full disk: no way to report it
  }

 private:
  static constexpr std::uint32_t kIdsEach = 4 * kFrames;

  std::uint32_t module(const native_stack::Object& object) {
    const std::string_view path(*object.path);
    const std::string_view build_id(*object.build_id);
    const std::uint32_t name = string(path.substr(0, kLongestPath));
    const format::ModuleBody body{next_id_++, name, object.base,
                                  static_cast<std::uint32_t>(build_id.size()), 0};
    define(body.kTag, &body, sizeof body, build_id);
    return body.id;
  }

  const std::uint64_t sequence_;
  std::uint32_t next_id_;
  format::ChunkHeader header_{};
  std::vector<char> bytes_;
};

// Once a thread.
void tell(std::uint32_t tid, const char* function, const void* const* addresses, std::size_t n) {
  const std::uint32_t before = std::min(written.load(), kMost);
  if (std::find(written_tids, written_tids + before, tid) != written_tids + before) return;
  const std::uint32_t place = written.fetch_add(1);
  if (place >= kMost) return;
  written_tids[place] = tid;
  Chunk chunk(place);
  format::HazardBody body{};
  body.kind = static_cast<std::uint32_t>(format::HazardKind::ending_interpreter);
  body.tid = tid;
  body.stack = chunk.stack(addresses, n);
  body.name = chunk.string(function);
  body.count = 1;
  chunk.define(body.kTag, &body, sizeof body);
  chunk.write();
}

__attribute__((noinline, cold)) void tell_of_itself(const char* function, const void* frame) {
  const ErrnoKeeper keep_errno;
  if (getpid() != process) return;
  const void* addresses[kFrames];
  const std::size_t n = native_stack::capture(frame, addresses, kFrames);
  tell(static_cast<std::uint32_t>(syscall(SYS_gettid)), function, addresses, n);
}

const char* entrance_at(const void* address) {
  const void* call = static_cast<const char*>(address) - 1;
  for (const Entrance& entrance : entrances) {
    if (entrance.code.contains(call)) return entrance.name;
  }
  return nullptr;
}

// Another thread, if native code of the program asked for the GIL there and it waits for it. False
// if it is awake: it may be on the way into that wait, or between two switch intervals.
bool tell_if_waiting(pid_t tid) {
  sleeping_stack::Sleep sleep;
  if (!sleeping_stack::look(tid, &sleep)) return false;
  if (sleep.call != SYS_futex || !gil::is_waited_for_at(sleep.argument)) return true;
  const void* addresses[native_stack::kMaxFrames];
  const std::size_t n =
      native_stack::capture_at(sleep.registers, addresses, native_stack::kMaxFrames).count;
  if (!sleeping_stack::still_in(tid, sleep)) return false;
  const char* function = nullptr;
  const void* callers[kFrames];
  std::size_t found = 0;
  for (std::size_t i = 0; i < n && found < kFrames; ++i) {
    if (native_stack::is_programs(addresses[i])) {
      callers[found++] = addresses[i];
    } else if (const char* entrance = entrance_at(addresses[i]); entrance != nullptr) {
      function = entrance;
    }
  }
  if (function != nullptr && found != 0) {
    tell(static_cast<std::uint32_t>(tid), function, callers, found);
  }
  return true;
}

// False if any thread was awake.
bool look_at_threads() {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return true;
  bool asleep = true;
  while (const dirent* entry = readdir(tasks)) {
    const auto tid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (tid != 0 && tid != process && !tell_if_waiting(tid)) asleep = false;
  }
  closedir(tasks);
  return asleep;
}

// The threads that asked before the end and wait now. They get the GIL no more, and what they do
// next is to exit, or nothing.
void tell_waiting() {
  constexpr int kLooks = 20;
  constexpr timespec kPause{0, 1'000'000};
  const ErrnoKeeper keep_errno;
  if (getpid() != process) return;
  for (int i = 0; i < kLooks && !look_at_threads(); ++i) nanosleep(&kPause, nullptr);
}

// A request for the GIL. One that began before the interpreter's end and does not return is ended
// by it: that unwinds the stack.
class Request {
 public:
  Request(const char* function, const void* frame) : function_(function), frame_(frame) {
    // The main thread ends the interpreter, and may give the GIL up and take it back meanwhile.
    if (PyThreadState_GetUnchecked() != nullptr || syscall(SYS_gettid) == getpid()) {
      frame_ = nullptr;
    } else if (Py_IsFinalizing() != 0) {
      done();
      tell_of_itself(function, frame);
    }
  }
  ~Request() {
    if (frame_ != nullptr) tell_of_itself(function_, frame_);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  void done() { frame_ = nullptr; }

 private:
  const char* const function_;
  const void* frame_;
};

PyGILState_STATE ensure() {
  Request request("PyGILState_Ensure", __builtin_frame_address(0));
  const PyGILState_STATE state = PyGILState_Ensure();
  request.done();
  return state;
}

void restore_thread(PyThreadState* state) {
  Request request("PyEval_RestoreThread", __builtin_frame_address(0));
  PyEval_RestoreThread(state);
  request.done();
}

void acquire_thread(PyThreadState* state) {
  Request request("PyEval_AcquireThread", __builtin_frame_address(0));
  PyEval_AcquireThread(state);
  request.done();
}

// The interpreter puts the signals' handlers back soon after it has begun to end: the first call of
// its own that shows it.
int change_handler(int signal, const struct sigaction* action, struct sigaction* before) {
  static std::atomic<bool> looked{false};
  if (Py_IsFinalizing() != 0 && !looked.exchange(true)) tell_waiting();
  return sigaction(signal, action, before);
}

template <typename Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

void watch(const std::string& trace) {
  if (file >= 0) return;
  alignment = TraceFile::alignment();
  process = getpid();
  file = open(trace.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file < 0) return;
  for (Entrance& entrance : entrances) {
    entrance.code = installation::function_of_interpreter(entrance.name);
  }
  installation::install_last({{"sigaction", address(change_handler)}},
                             {{"PyGILState_Ensure", address(ensure)},
                              {"PyEval_RestoreThread", address(restore_thread)},
                              {"PyEval_AcquireThread", address(acquire_thread)}});
}

}  // namespace gilscope::hooks::ending
