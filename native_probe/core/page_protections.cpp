#include "core/page_protections.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gilscope {
namespace {

constexpr std::size_t kFirstRoom = std::size_t{64} * 1024;  // bytes

// The number at `at`, which is moved behind it.
std::uintptr_t read_hexadecimal(const char*& at, const char* end) {
  std::uintptr_t value = 0;
  for (; at < end; ++at) {
    const char c = *at;
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uintptr_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | static_cast<std::uintptr_t>(c - 'a' + 10);
    } else {
      break;
    }
  }
  return value;
}

ssize_t read_some(int fd, char* to, std::size_t size) {
  ssize_t n = 0;
  do {
    n = read(fd, to, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

PageProtections::PageProtections() {
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  // The kernel gives whole lines, at most a page of them; a line has a path of at most 4,096 bytes.
  char buffer[16384];
  std::size_t kept = 0;
  for (;;) {
    const ssize_t n = read_some(fd, buffer + kept, sizeof buffer - kept);
    if (n <= 0) break;
    const char* end = buffer + kept + n;
    const auto* last =
        static_cast<const char*>(memrchr(buffer, '\n', kept + static_cast<std::size_t>(n)));
    const char* parsed = last != nullptr ? last + 1 : buffer;
    parse(buffer, parsed);
    kept = static_cast<std::size_t>(end - parsed);
    if (kept == sizeof buffer) break;  // no line is as long as that
    std::memmove(buffer, parsed, kept);
  }
  close(fd);
}

PageProtections::~PageProtections() {
  if (mappings_ != nullptr) munmap(mappings_, bytes_);
}

void PageProtections::parse(const char* begin, const char* end) {
  while (begin < end) {
    const auto* line_end =
        static_cast<const char*>(memchr(begin, '\n', static_cast<std::size_t>(end - begin)));
    if (line_end == nullptr) return;
    Mapping mapping{};
    mapping.begin = read_hexadecimal(begin, line_end);
    ++begin;  // '-'
    mapping.end = read_hexadecimal(begin, line_end);
    ++begin;  // ' '
    if (begin + 3 <= line_end) {
      mapping.protection = (begin[0] == 'r' ? PROT_READ : 0) | (begin[1] == 'w' ? PROT_WRITE : 0) |
                           (begin[2] == 'x' ? PROT_EXEC : 0);
      add(mapping);
    }
    begin = line_end + 1;
  }
}

void PageProtections::add(const Mapping& mapping) {
  if ((count_ + 1) * sizeof mapping > bytes_) {
    const std::size_t wanted = std::max(kFirstRoom, bytes_ * 2);
    void* memory = mappings_ == nullptr ? mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                        : mremap(mappings_, bytes_, wanted, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) return;
    mappings_ = static_cast<Mapping*>(memory);
    bytes_ = wanted;
  }
  mappings_[count_++] = mapping;
}

int PageProtections::at(std::uintptr_t address) const {
  const Mapping* begin = mappings_;
  const Mapping* after = std::upper_bound(
      begin, begin + count_, address,
      [](std::uintptr_t wanted, const Mapping& mapping) { return wanted < mapping.begin; });
  if (after == begin) return -1;
  const Mapping& mapping = *--after;
  return address < mapping.end ? mapping.protection : -1;
}

}  // namespace gilscope
