// What the watcher process (profiler/gilscope/target/hangs) has to say of this process: it leaves it
// in memory that both have, and the session's own thread takes it into the trace.
#pragma once

#include <atomic>
#include <cstdint>

namespace gilscope {

class TraceFile;

// The beginning of that memory; target/hangs/channel.py has the same.
struct HangChannel {
  std::uint32_t active;              // a recording runs; set by this process
  std::uint32_t pid;                 // this process
  std::atomic<std::uint32_t> size;   // bytes of the report; stored by the watcher, last
  std::atomic<std::uint32_t> taken;  // the report is in the trace
  std::uint32_t text_offset;
  std::uint32_t reserved[11];
};
static_assert(sizeof(HangChannel) == 64 && sizeof(std::atomic<std::uint32_t>) == 4);

// Maps the memory behind a descriptor, for good; false if that cannot be done.
bool open_hang_channel(int fd, std::uint64_t size);

// Writes a new report to the trace, as its metadata. By one thread at a time.
void take_hang_report(TraceFile& file);

}  // namespace gilscope
