// What happens when there is no more room: at `max_bytes`, and on a full disk.
#include <signal.h>
#include <sys/resource.h>

#include <string>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Session;
using gilscope::TraceFile;
using gilscope::format::ChunkKind;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

constexpr std::size_t kMegabyte = 1 << 20;
constexpr std::uint32_t kTooMany = 100'000;  // records; 3.2 MB

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::uint64_t dropped(const ReadTrace& trace) {
  std::uint64_t total = 0;
  for (const auto& slot : trace.slots()) total += slot.dropped;
  return total;
}

// Files of this process end here. Where the limit is met, the kernel sends a signal besides the
// error; Python ignores it, and so does this.
void limit_files(std::size_t bytes) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST("a file at its limit says so and gives no more room to events") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  CHECK(!file.at_limit());
  while (file.extend(kMegabyte / 4) && file.allocate(ChunkKind::events, 1, 4096) != nullptr) {
  }
  CHECK(file.at_limit() && !file.cannot_grow());
  while (file.allocate(ChunkKind::events, 1, 4096) != nullptr) {
  }
  CHECK(file.refused());
}

TEST("a file that events have filled takes definitions and the END all the same") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte - TraceFile::alignment()));
  while (file.allocate(ChunkKind::events, 1, 4096) != nullptr) {
  }
  CHECK(file.define(gilscope::format::DefinitionTag::thread_name, "12345678", 8, "late"));
  CHECK(file.write_json(ChunkKind::end, "{}"));
}

TEST("records for which there is no room are counted, and the others are in the file") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t", kMegabyte);
  for (std::uint32_t i = 0; i < kTooMany; ++i) emit(i);
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  CHECK(dropped(trace) > 0);
  CHECK_EQUAL(trace.records().size() + dropped(trace), kTooMany);
}

TEST("a session that lacked room ends with that as its reason") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t", kMegabyte);
  for (std::uint32_t i = 0; i < kTooMany; ++i) emit(i);
  // The page feeder has met the limit at the latest when it is joined; but that it looked at all
  // needs its thread to have run.
  while (!session->file().at_limit()) std::this_thread::yield();
  stop_session(session);
  const std::string end = read_trace(directory / "t").json(ChunkKind::end);
  CHECK(contains(end, R"("reason": "max_bytes")"));
}

TEST("a session that came near its limit and lost nothing was stopped in order") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t", kMegabyte);
  emit(1);
  CHECK(!session->file().extend(2 * kMegabyte));
  CHECK(session->file().at_limit());
  stop_session(session);
  const std::string end = read_trace(directory / "t").json(ChunkKind::end);
  CHECK(contains(end, R"("reason": "stop")"));
  CHECK(contains(end, R"("dropped_events": 0)"));
}

TEST("threads for which there is no slot are counted, and do not use up the numbers of threads") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t", kMegabyte);
  while (session->file().allocate(ChunkKind::threads, 0, 4096) != nullptr) {
  }
  for (int i = 0; i < 1000; ++i) CHECK(!emit(1));
  CHECK_EQUAL(session->dropped(), 1000u);
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").slots().size(), 0u);
}

TEST("a disk that fills up costs records and not the program") {
  const TemporaryDirectory directory;
  limit_files(2 * kMegabyte);
  Session* session = started_session(directory / "t");
  while (!session->file().cannot_grow()) emit(1);
  for (std::uint32_t i = 0; i < 3 * kTooMany; ++i) emit(i);
  CHECK(session->dropped() > 0);
  stop_session(session);
  const std::string end = read_trace(directory / "t").json(ChunkKind::end);
  CHECK(contains(end, R"("reason": "disk_full")"));
}

TEST("a limit of files that is met at the start is an error that says so") {
  const TemporaryDirectory directory;
  limit_files(TraceFile::alignment());
  int error = 0;
  try {
    const TraceFile file(directory / "t", kMegabyte);
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  CHECK_EQUAL(error, EFBIG);
}

}  // namespace
