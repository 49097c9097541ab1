// Reads a trace file back, as far as the tests of its writer need it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/format.hpp"
#include "core/session.hpp"

namespace gilscope::testing {

// A directory that is gone with everything in it at the end of the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Chunk {
  format::ChunkHeader header;
  std::uint64_t offset;
  std::string payload;  // all of it when the chunk is open, else what it uses
  bool is(format::ChunkKind kind) const { return header.kind == static_cast<std::uint16_t>(kind); }
  bool sealed() const { return header.state == format::kSealed; }
};

struct Definition {
  format::DefinitionTag tag;
  std::string body;
};

struct ReadTrace {
  format::FileHeader header{};
  std::uint64_t size = 0;
  std::vector<Chunk> chunks;

  std::vector<Chunk> of_kind(format::ChunkKind kind) const;
  // Records of one thread, or of all (0), in the order of the file.
  std::vector<format::EventRecord> records(std::uint32_t thread = 0) const;
  std::vector<format::ThreadSlot> slots() const;
  std::vector<Definition> definitions(format::DefinitionTag tag) const;
  std::string json(format::ChunkKind kind) const;  // "" when there is none
};

std::string contents(const std::string& path);

// Throws CheckFailed when a checksum is wrong, a chunk is out of place or a definition is torn.
ReadTrace read_trace(const std::string& path);

SessionOptions session_options(const std::string& path, std::uint64_t max_bytes = 64 << 20);

// A session that is active, with the pool of logs in place.
Session* started_session(const std::string& path, std::uint64_t max_bytes = 64 << 20);
// Stops and deletes it.
void stop_session(Session* session);

// For what must not be destroyed: the leak checker finds it here.
void keep_for_ever(void* memory);

// One record whose `what` is `number`; false when no session took it.
bool emit(std::uint32_t number);

}  // namespace gilscope::testing
