#include "core/hang_report.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string_view>

#include "core/trace_file.hpp"

namespace gilscope {
namespace {

struct Mapped {
  HangChannel* channel;
  std::uint64_t size;
};
// A forked child has it, too, and finds another process in it.
std::atomic<Mapped*> current{nullptr};

}  // namespace

void* open_hang_channel(int fd, std::uint64_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Never freed: the session's own thread may be looking.
  current.store(new Mapped{static_cast<HangChannel*>(memory), size}, std::memory_order_release);
  return memory;
}

void take_hang_report(TraceFile& file) {
  const Mapped* mapped = current.load(std::memory_order_acquire);
  if (mapped == nullptr) return;
  HangChannel& channel = *mapped->channel;
  const std::uint64_t size = channel.size.load(std::memory_order_acquire);
  if (size == 0 || channel.active == 0) return;
  if (channel.taken.load(std::memory_order_relaxed) != 0) return;
  if (channel.pid != static_cast<std::uint32_t>(getpid())) return;
  const std::uint64_t offset = channel.text_offset;
  if (offset > mapped->size || size > mapped->size - offset) return;
  const char* text = reinterpret_cast<const char*>(&channel) + offset;
  if (file.write_json(format::ChunkKind::metadata, std::string_view(text, size))) {
    channel.taken.store(1, std::memory_order_release);
  }
}

}  // namespace gilscope
