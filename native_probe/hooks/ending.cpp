#include "hooks/ending.hpp"

#include <Python.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/native_stack.hpp"
#include "core/session.hpp"
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

  std::uint32_t stack(const void* frame) {
    const void* addresses[kFrames];
    const std::size_t n = native_stack::capture(frame, addresses, kFrames);
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

__attribute__((noinline, cold)) void tell(const char* function, const void* frame) {
  const ErrnoKeeper keep_errno;
  if (getpid() != process) return;
  const std::uint32_t n = written.fetch_add(1);
  if (n >= kMost) return;
  Chunk chunk(n);
  format::HazardBody body{};
  body.kind = static_cast<std::uint32_t>(format::HazardKind::ending_interpreter);
  body.tid = static_cast<std::uint32_t>(syscall(SYS_gettid));
  body.stack = chunk.stack(frame);
  body.name = chunk.string(function);
  body.count = 1;
  chunk.define(body.kTag, &body, sizeof body);
  chunk.write();
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
      tell(function, frame);
    }
  }
  ~Request() {
    if (frame_ != nullptr) tell(function_, frame_);
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
  installation::install_last({{"PyGILState_Ensure", address(ensure)},
                              {"PyEval_RestoreThread", address(restore_thread)},
                              {"PyEval_AcquireThread", address(acquire_thread)}});
}

}  // namespace gilscope::hooks::ending
