// TraceFile: chunks, definitions, JSON, and the file itself.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <system_error>
#include <thread>

#include "core/trace_file.hpp"
#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::TraceFile;
using gilscope::format::ChunkHeader;
using gilscope::format::ChunkKind;
using gilscope::format::DefinitionTag;
using gilscope::testing::Chunk;
using gilscope::testing::contents;
using gilscope::testing::Definition;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::TemporaryDirectory;

constexpr std::size_t kMegabyte = 1 << 20;

template <typename Body>
void in_threads(int n, Body body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) threads.emplace_back([=] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

int error_of(const std::string& path) {
  try {
    const TraceFile file(path, kMegabyte);
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

TEST("the checksum weighs every word by its place") {
  const std::uint64_t words[3] = {1, 2, 1000};
  CHECK_EQUAL(gilscope::format::checksum(words, sizeof words), 1u * 3 + 2u * 5 + 1000u * 7);
}

TEST("chunks follow each other at multiples of the alignment") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  for (const std::size_t size : {100, 5000, 4096}) {
    CHECK(file.allocate(ChunkKind::events, 3, size) != nullptr);
  }
  file.finish();
  const ReadTrace trace = read_trace(directory / "t");
  CHECK_EQUAL(trace.chunks.size(), 3u);
  std::uint64_t next = TraceFile::alignment();
  for (const Chunk& chunk : trace.chunks) {
    CHECK_EQUAL(chunk.offset, next);
    CHECK_EQUAL(chunk.header.thread, 3u);
    next += chunk.header.size;
  }
}

TEST("chunks that several threads take at once do not overlap") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 16 * kMegabyte);
  CHECK(file.extend(8 * kMegabyte));
  in_threads(4, [&file](int thread) {
    for (int i = 0; i < 50; ++i) {
      ChunkHeader* chunk = file.allocate(ChunkKind::events, static_cast<std::uint32_t>(thread + 1),
                                         static_cast<std::size_t>(1000 * (i % 7 + 1)));
      std::memset(chunk + 1, thread + 1, chunk->size - sizeof *chunk);
    }
  });
  file.finish();
  std::set<std::uint64_t> sequences;
  const ReadTrace trace = read_trace(directory / "t");
  for (const Chunk& chunk : trace.chunks) {
    sequences.insert(chunk.header.sequence);
    const std::string expected(chunk.payload.size(), static_cast<char>(chunk.header.thread));
    CHECK(chunk.payload == expected);
  }
  CHECK_EQUAL(sequences.size(), 200u);
  CHECK_EQUAL(*sequences.rbegin(), 200u);
}

TEST("a sealed chunk carries the checksum of what it uses") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  ChunkHeader* chunk = file.allocate(ChunkKind::events, 1, 4096);
  std::memset(chunk + 1, 7, 96);
  TraceFile::seal(chunk, 96);
  file.finish();
  const Chunk found = read_trace(directory / "t").chunks.front();  // compares the checksums
  CHECK(found.sealed());
  CHECK_EQUAL(found.payload, std::string(96, 7));
}

TEST("definitions of several threads at once are all there and whole") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 16 * kMegabyte);
  CHECK(file.extend(8 * kMegabyte));
  in_threads(4, [&file](int thread) {
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const std::uint32_t body[2] = {static_cast<std::uint32_t>(thread), i};
      const std::string text(i % 61, static_cast<char>('a' + thread));
      if (!file.define(DefinitionTag::thread_name, body, sizeof body, text)) std::abort();
    }
  });
  file.finish();
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  for (const Definition& definition :
       read_trace(directory / "t").definitions(DefinitionTag::thread_name)) {
    std::uint32_t body[2];
    std::memcpy(body, definition.body.data(), sizeof body);
    const std::string text = definition.body.substr(8, body[1] % 61);
    CHECK(text == std::string(body[1] % 61, static_cast<char>('a' + body[0])));
    seen.emplace(body[0], body[1]);
  }
  CHECK_EQUAL(seen.size(), 8000u);
}

TEST("a definition keeps both of its texts") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  const std::uint32_t sizes[2] = {4, 7};
  CHECK(file.define(DefinitionTag::not_measured, sizes, sizeof sizes, "spin", "because"));
  file.finish();
  const auto found = read_trace(directory / "t").definitions(DefinitionTag::not_measured);
  CHECK_EQUAL(found.size(), 1u);
  CHECK_EQUAL(found.front().body.substr(8, 11), "spinbecause");
}

TEST("a definition that is larger than a chunk of definitions gets a chunk of its own") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 4 * kMegabyte);
  CHECK(file.extend(2 * kMegabyte));
  const std::string text(200'000, 'x');
  CHECK(file.define(DefinitionTag::thread_name, "12345678", 8, text));
  file.finish();
  const auto found = read_trace(directory / "t").definitions(DefinitionTag::thread_name);
  CHECK_EQUAL(found.front().body.substr(8, text.size()), text);
}

TEST("a JSON object is found as it was written") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  CHECK(file.write_json(ChunkKind::metadata, R"({"odd": "length"})"));
  file.finish();
  CHECK_EQUAL(read_trace(directory / "t").json(ChunkKind::metadata), R"({"odd": "length"})");
}

TEST("a file that is finished is cut to what is used") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", 16 * kMegabyte);
  CHECK(file.extend(8 * kMegabyte));
  file.allocate(ChunkKind::events, 1, 4096);
  const std::uint64_t used = file.bytes_used();
  file.finish();
  CHECK_EQUAL(contents(directory / "t").size(), used);
}

TEST("a trace takes the place of the file of that name, which its readers keep") {
  const TemporaryDirectory directory;
  std::ofstream(directory / "t") << "old";
  std::ifstream reader(directory / "t");
  TraceFile file(directory / "t", kMegabyte);
  file.finish();
  std::string text;
  reader >> text;
  CHECK_EQUAL(text, "old");
}

TEST("a trace is readable by its user alone") {
  const TemporaryDirectory directory;
  TraceFile file(directory / "t", kMegabyte);
  struct stat status{};
  CHECK_EQUAL(stat((directory / "t").c_str(), &status), 0);
  CHECK_EQUAL(status.st_mode & 0777, 0600u);
}

TEST("a device, a pipe or a directory is not replaced by a trace") {
  const TemporaryDirectory directory;
  CHECK_EQUAL(mkfifo((directory / "pipe").c_str(), 0600), 0);
  CHECK_EQUAL(error_of(directory / "pipe"), EEXIST);
  CHECK_EQUAL(access((directory / "pipe").c_str(), F_OK), 0);
  CHECK_EQUAL(error_of(directory / "."), EEXIST);
}

TEST("a file that cannot be made says why") {
  const TemporaryDirectory directory;
  CHECK_EQUAL(error_of(directory / "missing/t"), ENOENT);
}

TEST("a trace without a path is a file without a name") {
  TraceFile file("", kMegabyte);
  CHECK(file.extend(kMegabyte / 2));
  CHECK(file.allocate(ChunkKind::events, 1, 4096) != nullptr);
}

TEST("an abandoned file hands out nothing, and what was handed out can be written to") {
  const TemporaryDirectory directory;
  auto* file = new TraceFile(directory / "t", kMegabyte);  // never destroyed, as its rule says
  CHECK(file->extend(kMegabyte / 2));
  ChunkHeader* chunk = file->allocate(ChunkKind::events, 1, 4096);
  file->abandon();
  std::memset(chunk + 1, 1, 32);
  CHECK(file->allocate(ChunkKind::events, 1, 4096) == nullptr);
  gilscope::testing::keep_for_ever(file);
}

}  // namespace
