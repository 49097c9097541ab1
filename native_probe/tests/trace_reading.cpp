#include "tests/trace_reading.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/harness.hpp"

namespace gilscope::testing {
namespace {

using format::ChunkHeader;
using format::ChunkKind;

std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 7) / 8 * 8);
  return bytes;
}

Chunk read_chunk(const std::string& bytes, std::uint64_t offset) {
  Chunk chunk{{}, offset, {}};
  CHECK(offset + sizeof(ChunkHeader) <= bytes.size());
  std::memcpy(&chunk.header, bytes.data() + offset, sizeof(ChunkHeader));
  CHECK_EQUAL(chunk.header.magic, format::kChunkMagic);
  CHECK_EQUAL(chunk.header.header_checksum, format::checksum(bytes.data() + offset, 32));
  CHECK(chunk.header.size % TraceFile::alignment() == 0 && chunk.header.size != 0);
  CHECK(offset + chunk.header.size <= bytes.size());
  const std::size_t room = chunk.header.size - sizeof(ChunkHeader);
  const std::size_t used = chunk.sealed() ? chunk.header.used : room;
  CHECK(used <= room);
  chunk.payload = bytes.substr(offset + sizeof(ChunkHeader), used);
  if (chunk.sealed()) {
    const std::string words = padded(chunk.payload);
    CHECK_EQUAL(chunk.header.checksum, format::checksum(words.data(), words.size()));
  }
  return chunk;
}

template <typename T>
T at(const std::string& bytes, std::size_t offset) {
  T value{};
  CHECK(offset + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "gilscope-core-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw CheckFailed("no temporary directory");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string contents(const std::string& path) {
  // In one piece: sanitizers look at every byte that is read on its own.
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

ReadTrace read_trace(const std::string& path) {
  const std::string bytes = contents(path);
  ReadTrace trace;
  trace.size = bytes.size();
  trace.header = at<format::FileHeader>(bytes, 0);
  const std::size_t alignment = TraceFile::alignment();
  for (std::uint64_t offset = alignment; offset < bytes.size();) {
    if (at<std::uint32_t>(bytes, offset) == 0) {
      offset += alignment;  // reserved and not used
      continue;
    }
    trace.chunks.push_back(read_chunk(bytes, offset));
    offset += trace.chunks.back().header.size;
  }
  return trace;
}

std::vector<Chunk> ReadTrace::of_kind(ChunkKind kind) const {
  std::vector<Chunk> found;
  for (const Chunk& chunk : chunks) {
    if (chunk.is(kind)) found.push_back(chunk);
  }
  return found;
}

std::vector<format::EventRecord> ReadTrace::records(std::uint32_t thread) const {
  std::vector<format::EventRecord> found;
  for (const Chunk& chunk : of_kind(ChunkKind::events)) {
    if (thread != 0 && chunk.header.thread != thread) continue;
    for (std::size_t i = 0; i + sizeof(format::EventRecord) <= chunk.payload.size(); i += 32) {
      const auto record = at<format::EventRecord>(chunk.payload, i);
      if (record.kind == 0) break;
      found.push_back(record);
    }
  }
  return found;
}

std::vector<format::ThreadSlot> ReadTrace::slots() const {
  std::vector<format::ThreadSlot> found;
  for (const Chunk& chunk : of_kind(ChunkKind::threads)) {
    for (std::size_t i = 0; i + sizeof(format::ThreadSlot) <= chunk.payload.size(); i += 128) {
      const auto slot = at<format::ThreadSlot>(chunk.payload, i);
      if (slot.thread != 0) found.push_back(slot);
    }
  }
  return found;
}

std::vector<Definition> ReadTrace::definitions(format::DefinitionTag tag) const {
  std::vector<Definition> found;
  for (const Chunk& chunk : of_kind(ChunkKind::definitions)) {
    for (std::size_t i = 0; i + sizeof(format::DefinitionHeader) <= chunk.payload.size();) {
      const auto header = at<format::DefinitionHeader>(chunk.payload, i);
      if (header.tag == 0) break;
      CHECK(header.length % 8 == 0 && header.length >= sizeof header);
      CHECK(i + header.length <= chunk.payload.size());
      if (header.tag == static_cast<std::uint16_t>(tag)) {
        found.push_back({tag, chunk.payload.substr(i + sizeof header, header.length - 8)});
      }
      i += header.length;
    }
  }
  return found;
}

std::string ReadTrace::json(ChunkKind kind) const {
  const std::vector<Chunk> found = of_kind(kind);
  return found.empty() ? std::string() : found.front().payload;
}

SessionOptions session_options(const std::string& path, std::uint64_t max_bytes) {
  return {path, max_bytes, true, false, 0x030D05F0, R"({"gilscope": "test"})"};
}

Session* started_session(const std::string& path, std::uint64_t max_bytes) {
  CHECK(ThreadLogs::initialize());
  auto* session = new Session(session_options(path, max_bytes));
  session->activate();
  return session;
}

void stop_session(Session* session) {
  CHECK(session->deactivate());
  session->finish("stop", false);
  delete session;
}

void keep_for_ever(void* memory) {
  static std::atomic<void*> kept{nullptr};
  kept = memory;
}

bool emit(std::uint32_t number) {
  Recording recording;
  if (!recording) return false;
  recording.emit(format::EventKind::gil_hold, 0, 0, number, Clock::ticks(), 1, 0);
  return true;
}

}  // namespace gilscope::testing
