// The pages of a trace: segments, and what became of the file by the end.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::FilePages;
using gilscope::Session;
using gilscope::TraceFile;
using gilscope::format::ChunkHeader;
using gilscope::format::ChunkKind;
using gilscope::testing::Chunk;
using gilscope::testing::contents;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

constexpr std::size_t kMegabyte = 1 << 20;
constexpr std::size_t kOdd = 200'000;  // no multiple of it is a segment's end

// Bytes of the address space that this file takes up.
std::uint64_t mapped_bytes(const std::string& path) {
  std::istringstream maps(contents("/proc/self/maps"));
  std::uint64_t total = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(path) == std::string::npos) continue;
    std::size_t dash = 0;
    const std::uint64_t begin = std::stoull(line, &dash, 16);
    total += std::stoull(line.substr(dash + 1), nullptr, 16) - begin;
  }
  return total;
}

// The descriptor that is open for this file.
int descriptor_of(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == path) {
      return std::stoi(entry.path().filename());
    }
  }
  return -1;
}

// A file of the program's, under the number that the trace has.
int take_descriptor_of(const std::string& trace, const std::string& path, std::size_t size) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string content(size, 'x');
  CHECK_EQUAL(write(fd, content.data(), size), static_cast<ssize_t>(size));
  const int taken = descriptor_of(trace);
  CHECK_EQUAL(dup2(fd, taken), taken);
  close(fd);
  return taken;
}

TEST("files of the program have the numbers that they have without a trace") {
  const TemporaryDirectory directory;
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  TraceFile file(directory / "t", kMegabyte);
  CHECK_EQUAL(open("/dev/null", O_RDONLY | O_CLOEXEC), before);
}

TEST("a file that has taken the trace's number is not touched, and the trace goes on") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  emit(1);
  const int taken = take_descriptor_of(directory / "t", directory / "own", 8 * kMegabyte);
  CHECK(session->file().extend(kMegabyte));
  stop_session(session);
  CHECK_EQUAL(descriptor_of(directory / "own"), taken);
  CHECK(contents(directory / "own") == std::string(8 * kMegabyte, 'x'));
  CHECK(!read_trace(directory / "t").chunks.empty());
}

TEST("a trace that cannot be found again is not grown, and no other file either") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 4 * kMegabyte);
  take_descriptor_of(directory / "t", directory / "own", 8 * kMegabyte);
  CHECK_EQUAL(rename((directory / "t").c_str(), (directory / "away").c_str()), 0);
  CHECK_EQUAL(symlink((directory / "own").c_str(), (directory / "t").c_str()), 0);
  CHECK(!file.extend(kMegabyte));
  CHECK_EQUAL(file.error(), EBADF);
  file.finish();
  CHECK(contents(directory / "own") == std::string(8 * kMegabyte, 'x'));
}

TEST("a chunk that lies across the end of a segment is in one piece") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 64 * kMegabyte);
  for (int i = 0; i < 200; ++i) {  // 40 MB
    ChunkHeader* chunk = file.allocate(ChunkKind::events, 1, kOdd);
    CHECK(chunk != nullptr);
    std::memset(chunk + 1, i + 1, kOdd - sizeof *chunk);
  }
  file.finish();
  int number = 0;
  for (const Chunk& chunk : read_trace(directory / "t").chunks) {
    const std::string expected(kOdd - sizeof(ChunkHeader), static_cast<char>(++number));
    CHECK(chunk.payload.substr(0, expected.size()) == expected);
  }
  CHECK_EQUAL(number, 200);
}

TEST("the address space that a trace takes up follows what is in it") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 1024 * kMegabyte);
  CHECK(mapped_bytes(directory / "t") < 20 * kMegabyte);
  CHECK(file.extend(20 * kMegabyte));
  CHECK(mapped_bytes(directory / "t") < 40 * kMegabyte);
  CHECK(mapped_bytes(directory / "t") > 20 * kMegabyte);
}

TEST("a session that records next to nothing leaves a small file, also when it is killed") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  emit(1);
  const std::uint64_t used = session->file().bytes_used();
  const std::uint64_t ready = session->file().ready_ahead();
  if (gilscope::single_threaded()) CHECK(used + ready <= 128 * 1024);
  stop_session(session);
}

TEST("a trace that is in its place by the end was kept") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  file.finish();
  CHECK(file.fate() == FilePages::Fate::kept);
}

TEST("a trace that was removed meanwhile is known to be") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  unlink((directory / "t").c_str());
  file.finish();
  CHECK(file.fate() == FilePages::Fate::removed);
}

TEST("a trace whose place another one took is known to be replaced") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  TraceFile other(directory / "t", kMegabyte);
  file.finish();
  other.finish();
  CHECK(file.fate() == FilePages::Fate::replaced);
  CHECK(other.fate() == FilePages::Fate::kept);
}

TEST("a trace that was cut and grew again is known to be truncated") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 4 * kMegabyte);
  CHECK(truncate((directory / "t").c_str(), 0) == 0);
  CHECK(!file.extend(kMegabyte));  // it is not grown into a file with a hole
  CHECK(truncate((directory / "t").c_str(), 4 * kMegabyte) == 0);
  CHECK(file.fate() == FilePages::Fate::truncated);
}

TEST("a trace that was cut and has grown to its size again is known to be truncated") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  emit(1);
  CHECK_EQUAL(truncate((directory / "t").c_str(), 0), 0);
  CHECK_EQUAL(truncate((directory / "t").c_str(), kMegabyte), 0);
  CHECK(session->deactivate());
  session->finish("stop", false);
  CHECK(session->file().fate() == FilePages::Fate::truncated);
  delete session;
}

}  // namespace
