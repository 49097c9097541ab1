#include "reader/file_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <new>

namespace gilscope::file_memory {
namespace {

constexpr std::size_t kPage = 4096;           // no page is smaller
constexpr std::size_t kPiece = 64UL << 20;    // let go at a time
constexpr long kPeriodNs = 2'000'000;         // little of the limit is filled in it
constexpr std::size_t kLetGoTo = 3, kOf = 5;  // of the limit, so that it is not for each page
constexpr std::size_t kSpareOf = 2;           // of the limit, what spare blocks may have
constexpr std::size_t kWaste = 8;             // of a block that is used again, what may be unused

struct Block {
  std::size_t size;
  bool in_file;
  bool spare;
};

// Blocks that are nobody's, by size: written again, memory costs a tenth of that of a new one.
struct Spare {
  std::multimap<std::size_t, std::uintptr_t> blocks;
  std::size_t bytes = 0;
};

struct State {
  std::mutex mutex;
  std::map<std::uintptr_t, Block> blocks;
  Spare spare[2];  // those of these that are nobody's: anonymous, in files
  std::string folder;
  Limits limits{};
  Figures figures{};
  std::size_t anonymous = 0;  // bytes of blocks that are not in files
  std::uintptr_t next = 0;    // where letting go goes on
  int statm = -1;             // what the kernel says that is in memory
  std::atomic<std::size_t> process_anonymous{0};
  std::atomic<bool> running{false};
  pthread_t keeper{};
};

// Never destroyed: arrays may be freed after static objects.
State& state() {
  static auto* one = new State;
  return *one;
}

struct InMemory {
  std::size_t resident, anonymous;
};

// What the process has in memory, bytes.
InMemory in_memory(int statm) {
  char text[128];
  const ssize_t n = pread(statm, text, sizeof text - 1, 0);
  if (n <= 0) return {0, 0};
  text[n] = '\0';
  char* rest = text;
  std::strtoul(rest, &rest, 10);  // all that it has mapped
  const std::size_t resident = std::strtoul(rest, &rest, 10);
  const std::size_t shared = std::strtoul(rest, &rest, 10);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return {resident * page, (resident - std::min(shared, resident)) * page};
}

// Lets go of one piece after the other, in the order of addresses and round again. The lock is
// held: a block that is freed meanwhile could become somebody else's memory.
void let_go(State& s, std::size_t down_to) {
  std::size_t gone = 0, all = 0;
  {
    const std::lock_guard lock(s.mutex);
    all = s.figures.in_files;
  }
  while (gone < all && in_memory(s.statm).resident > down_to) {
    const std::lock_guard lock(s.mutex);
    if (s.blocks.empty()) return;
    auto found = s.blocks.upper_bound(s.next);
    if (found != s.blocks.begin()) {
      const auto before = std::prev(found);
      if (before->second.in_file && before->first + before->second.size > s.next) found = before;
    }
    while (found != s.blocks.end() && !found->second.in_file) ++found;
    if (found == s.blocks.end()) {
      if (s.next == 0) return;
      s.next = 0;
      continue;
    }
    const std::uintptr_t begin = std::max(found->first, s.next);
    const std::uintptr_t end = std::min(begin + kPiece, found->first + found->second.size);
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    s.next = end;
    gone += end - begin;
  }
}

// Lets go of files if the process has too much in memory, or will have when so much more is
// written, and they a part in it that counts: what is in use comes back at once, and without that
// part nothing would be gained by it.
InMemory look(State& s, std::size_t coming) {
  const InMemory now = in_memory(s.statm);
  const std::size_t in_files = now.resident - now.anonymous;
  const std::size_t room = s.limits.resident - std::min(coming, s.limits.resident);
  if (now.resident > room && in_files > s.limits.files) {
    const std::size_t some = now.anonymous + s.limits.files / kOf * kLetGoTo;
    let_go(s, std::max(room / kOf * kLetGoTo, some));
  }
  return now;
}

void* keep(void*) {
  State& s = state();
  while (s.running.load(std::memory_order_acquire)) {
    s.process_anonymous.store(look(s, 0).anonymous, std::memory_order_relaxed);
    const timespec period{0, kPeriodNs};
    nanosleep(&period, nullptr);
  }
  return nullptr;
}

// A file of this size without a name, of which all room is there already: a disk that is full later
// would end the process.
int new_file(const std::string& folder, std::size_t size) {
  const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return -1;
  int failed = 0;
  do {
    failed = fallocate(file, 0, 0, static_cast<off_t>(size));
  } while (failed != 0 && errno == EINTR);
  if (failed == 0) return file;
  close(file);
  return -1;
}

void* map_file(const std::string& folder, std::size_t size) {
  const int file = new_file(folder, size);
  if (file < 0) return nullptr;
  void* block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return block == MAP_FAILED ? nullptr : block;
}

void* map_anonymous(std::size_t size) {
  void* block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return nullptr;
  madvise(block, size, MADV_HUGEPAGE);
  return block;
}

// What new memory is counted in. The lock is held.
std::size_t& count_of(State& s, bool in_file) { return in_file ? s.figures.in_files : s.anonymous; }

// Gives memory of the smallest spare block back. The lock is held.
void unmap_spare(State& s, bool in_file) {
  Spare& spare = s.spare[in_file];
  const auto [size, at] = *spare.blocks.begin();
  munmap(reinterpret_cast<void*>(at), size);
  count_of(s, in_file) -= size;
  spare.bytes -= size;
  spare.blocks.erase(spare.blocks.begin());
  s.blocks.erase(at);
}

// A spare block that is as large or a little larger, or null. The lock is held.
void* reuse(State& s, std::size_t size, bool in_file) {
  Spare& spare = s.spare[in_file];
  const auto found = spare.blocks.lower_bound(size);
  if (found == spare.blocks.end() || found->first > size + size / kWaste) return nullptr;
  const std::uintptr_t at = found->second;
  spare.bytes -= found->first;
  spare.blocks.erase(found);
  s.blocks[at].spare = false;
  return reinterpret_cast<void*>(at);
}

// Keeps a block for later, instead of smaller ones if it must be. The lock is held.
bool keep_spare(State& s, std::uintptr_t at, Block& block) {
  Spare& spare = s.spare[block.in_file];
  const std::size_t most = (block.in_file ? s.limits.resident : s.limits.heap) / kSpareOf;
  if (block.size > most || !s.running.load(std::memory_order_relaxed)) return false;
  while (spare.bytes + block.size > most) unmap_spare(s, block.in_file);
  try {
    spare.blocks.emplace(block.size, at);
  } catch (const std::bad_alloc&) {
    return false;
  }
  spare.bytes += block.size;
  block.spare = true;
  return true;
}

}  // namespace

bool start(const std::string& folder, const Limits& limits) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.running.load()) return false;
  struct statfs about{};
  // Files of tmpfs are in memory themselves: nothing is taken there, and that is counted.
  const bool on_disk = statfs(folder.c_str(), &about) == 0 && about.f_type != TMPFS_MAGIC;
  s.folder = on_disk ? folder : std::string();
  s.limits = limits;
  s.figures.most_in_files = s.figures.in_files;
  s.figures.refused = 0;
  if (s.statm < 0) s.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (s.statm < 0) return false;
  s.running.store(true, std::memory_order_release);
  if (pthread_create(&s.keeper, nullptr, keep, nullptr) == 0) return true;
  s.running.store(false);
  return false;
}

void stop() {
  State& s = state();
  if (!s.running.exchange(false)) return;
  pthread_join(s.keeper, nullptr);
  const std::lock_guard lock(s.mutex);
  for (const bool in_file : {false, true}) {
    while (!s.spare[in_file].blocks.empty()) unmap_spare(s, in_file);
  }
}

void* take(std::size_t size, bool* zeroed) {
  State& s = state();
  if (size < s.limits.medium || !s.running.load(std::memory_order_relaxed)) return nullptr;
  const bool pressed = s.process_anonymous.load(std::memory_order_relaxed) > s.limits.anonymous;
  if (size < s.limits.large && !pressed) return nullptr;
  // Where many programs want the processors, the thread comes too late for what is written next.
  look(s, size);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t whole = (size + page - 1) / page * page;
  std::string folder;
  bool in_file = true;
  {
    const std::lock_guard lock(s.mutex);
    *zeroed = false;
    if (void* used = reuse(s, whole, false)) return used;
    const auto crowded = [&] { return pressed || s.anonymous + whole > s.limits.heap; };
    while (crowded() && !s.spare[false].blocks.empty()) unmap_spare(s, false);
    in_file = crowded();
    if (void* used = in_file ? reuse(s, whole, true) : nullptr) return used;
    if (!in_file) s.anonymous += whole;
    folder = s.folder;
  }
  *zeroed = true;
  void* block = in_file ? map_file(folder, whole) : map_anonymous(whole);
  const std::lock_guard lock(s.mutex);
  if (block != nullptr) {
    try {
      s.blocks[reinterpret_cast<std::uintptr_t>(block)] = {whole, in_file, false};
    } catch (const std::bad_alloc&) {
      munmap(block, whole);
      block = nullptr;
    }
  }
  if (!in_file && block == nullptr) s.anonymous -= whole;
  if (in_file && block == nullptr) s.figures.refused += whole;
  if (in_file && block != nullptr) {
    s.figures.in_files += whole;
    s.figures.most_in_files = std::max(s.figures.most_in_files, s.figures.in_files);
  }
  return block;
}

bool give_back(void* block) {
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  if (at % kPage != 0) return false;
  State& s = state();
  Block found{};
  {
    const std::lock_guard lock(s.mutex);
    const auto place = s.blocks.find(at);
    if (place == s.blocks.end()) return false;
    if (keep_spare(s, at, place->second)) return true;
    found = place->second;
    s.blocks.erase(place);
    count_of(s, found.in_file) -= found.size;
  }
  munmap(block, found.size);
  return true;
}

std::size_t size_of(const void* block) {
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  if (at % kPage != 0) return 0;
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const auto place = s.blocks.find(at);
  return place == s.blocks.end() ? 0 : place->second.size;
}

Figures figures() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.figures;
}

}  // namespace gilscope::file_memory
