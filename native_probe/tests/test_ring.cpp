// A ring keeps the latest events, counts the others, and can be copied while it goes round.
#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/snapshot.hpp"
#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Session;
using gilscope::ThreadLogs;
using gilscope::format::ChunkKind;
using gilscope::format::DefinitionTag;
using gilscope::format::EventRecord;
using gilscope::testing::Chunk;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::session_options;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

constexpr std::size_t kSmall = 8 << 20;
constexpr std::uint32_t kMany = 400'000;  // records; 12.8 MB

Session* started_ring(const std::string& path) {
  CHECK(ThreadLogs::initialize());
  gilscope::SessionOptions options = session_options(path, kSmall);
  options.ring = true;
  auto* session = new Session(options);
  session->activate();
  return session;
}

// A ring's chunks are read in the order of their sequence, not of their place.
std::vector<EventRecord> records_in_order(const ReadTrace& trace) {
  std::vector<Chunk> chunks = trace.of_kind(ChunkKind::events);
  std::sort(chunks.begin(), chunks.end(),
            [](const Chunk& a, const Chunk& b) { return a.header.sequence < b.header.sequence; });
  std::vector<EventRecord> records;
  for (const Chunk& chunk : chunks) {
    const auto* first = reinterpret_cast<const EventRecord*>(chunk.payload.data());
    records.insert(records.end(), first, first + chunk.payload.size() / sizeof *first);
  }
  return records;
}

std::uint64_t overwritten(const ReadTrace& trace) {
  const std::string end = trace.json(ChunkKind::end);
  const std::string key = R"("overwritten_events": )";
  const std::size_t at = end.find(key);
  CHECK(at != std::string::npos);
  return std::stoull(end.substr(at + key.size()));
}

TEST("a ring has the latest records without a gap, and counts the others") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  for (std::uint32_t i = 0; i < kMany; ++i) CHECK(emit(i));
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  const auto records = records_in_order(trace);
  CHECK_EQUAL(records.size() + overwritten(trace), kMany);
  CHECK(records.size() > kMany / 4);
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK_EQUAL(records[i].what, kMany - records.size() + i);
  }
}

TEST("a ring that went round ends in order and drops nothing") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  for (std::uint32_t i = 0; i < kMany; ++i) emit(i);
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  CHECK(trace.size <= kSmall);
  CHECK((trace.header.flags & gilscope::format::kRing) != 0);
  const std::string end = trace.json(ChunkKind::end);
  CHECK(end.find(R"("reason": "stop")") != std::string::npos);
  CHECK(end.find(R"("dropped_events": 0)") != std::string::npos);
}

TEST("all chunks of events in a ring have one size") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  for (std::uint32_t i = 0; i < kMany; ++i) emit(i);
  stop_session(session);
  const auto chunks = read_trace(directory / "t").of_kind(ChunkKind::events);
  for (const Chunk& chunk : chunks) CHECK_EQUAL(chunk.header.size, chunks[0].header.size);
}

TEST("names and slots stay in a ring that went round") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  std::thread([session] {
    emit(0);
    session->define_name(gilscope::ThreadLogs::current()->index, "gone long since");
  }).join();
  for (std::uint32_t i = 0; i < kMany; ++i) emit(i);
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  CHECK_EQUAL(trace.slots().size(), 2u);
  CHECK_EQUAL(trace.definitions(DefinitionTag::thread_name).size(), 1u);
}

TEST("a chunk that its thread has not done with is not used again") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  std::atomic<int> step{0};
  std::thread slow([&step] {
    emit(kMany);
    step = 1;
    while (step != 2) std::this_thread::yield();
    emit(kMany + 1);
  });
  while (step != 1) std::this_thread::yield();
  for (std::uint32_t i = 0; i < kMany; ++i) emit(i);
  step = 2;
  slow.join();
  stop_session(session);
  const auto records = read_trace(directory / "t").records();
  const auto slow_ones = std::count_if(records.begin(), records.end(),
                                       [](const EventRecord& r) { return r.what >= kMany; });
  CHECK_EQUAL(slow_ones, 2);
}

TEST("threads that go round a ring together have every record counted once") {
  constexpr std::uint32_t kThreads = 4;
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  std::thread threads[kThreads];
  for (std::thread& thread : threads) {
    thread = std::thread([] {
      for (std::uint32_t i = 0; i < kMany / 2; ++i) emit(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t dropped = session->dropped();
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");  // compares the checksums
  CHECK_EQUAL(trace.records().size() + overwritten(trace) + dropped, kThreads * (kMany / 2));
}

TEST("a snapshot is a whole trace of what is recorded so far, and the session goes on") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  for (std::uint32_t i = 0; i < 1000; ++i) emit(i);
  gilscope::write_snapshot(*session, directory / "s", false);
  for (std::uint32_t i = 0; i < 1000; ++i) emit(i);
  stop_session(session);
  const ReadTrace copy = read_trace(directory / "s");
  const ReadTrace trace = read_trace(directory / "t");
  CHECK_EQUAL(copy.records().size(), 1000u);
  CHECK_EQUAL(trace.records().size(), 2000u);
  CHECK_EQUAL(copy.json(ChunkKind::metadata), trace.json(ChunkKind::metadata));
  CHECK(copy.json(ChunkKind::end).find(R"("reason": "snapshot")") != std::string::npos);
  CHECK(std::string(copy.header.magic, 8) == "GILSCOPE");
}

TEST("a snapshot has the names and the slots of the threads") {
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  emit(1);
  session->define_name(1, "this one");
  gilscope::write_snapshot(*session, directory / "s", false);
  stop_session(session);
  const ReadTrace copy = read_trace(directory / "s");
  CHECK_EQUAL(copy.slots().size(), 1u);
  CHECK_EQUAL(copy.definitions(DefinitionTag::thread_name).size(), 1u);
}

// Each thread's records were numbered as it went.
void check_order(const ReadTrace& trace, std::size_t threads) {
  std::vector<Chunk> chunks = trace.of_kind(ChunkKind::events);
  std::sort(chunks.begin(), chunks.end(),
            [](const Chunk& a, const Chunk& b) { return a.header.sequence < b.header.sequence; });
  std::map<std::uint32_t, std::uint32_t> last;
  for (const Chunk& chunk : chunks) {
    const auto* record = reinterpret_cast<const EventRecord*>(chunk.payload.data());
    const auto [thread, is_first] = last.try_emplace(chunk.header.thread, record->what);
    std::uint32_t before = thread->second;
    for (std::size_t i = is_first ? 1 : 0; i < chunk.payload.size() / sizeof *record; ++i) {
      if (record[i].what <= before) CHECK_EQUAL(record[i].what, before + 1);
      before = record[i].what;
    }
    thread->second = before;
  }
  CHECK_EQUAL(last.size(), threads);
}

TEST("snapshots of a ring that threads go round have each thread's latest records in order") {
  constexpr std::uint32_t kThreads = 3;
  const TemporaryDirectory directory;
  Session* session = started_ring(directory / "t");
  std::atomic<bool> end{false};
  std::atomic<std::uint32_t> begun{0};
  std::thread threads[kThreads];
  for (std::thread& thread : threads) {
    thread = std::thread([&end, &begun] {
      emit(0);
      ++begun;
      for (std::uint32_t i = 1; !end; ++i) emit(i);
    });
  }
  while (begun != kThreads || session->file().overwritten() == 0) std::this_thread::yield();
  const std::string paths[] = {directory / "1", directory / "2", directory / "3"};
  for (const std::string& path : paths) gilscope::write_snapshot(*session, path, false);
  end = true;
  for (std::thread& thread : threads) thread.join();
  stop_session(session);
  for (const std::string& path : paths) check_order(read_trace(path), kThreads);
}

TEST("a snapshot that cannot be written leaves no file") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  bool thrown = false;
  try {
    gilscope::write_snapshot(*session, directory / "missing/s", false);
  } catch (const std::system_error&) {
    thrown = true;
  }
  stop_session(session);
  CHECK(thrown);
}

}  // namespace
