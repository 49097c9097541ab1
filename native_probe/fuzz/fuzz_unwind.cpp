// Unwinding tables of any content: .eh_frame_hdr and what follows it in its segment.
#include <cstring>
#include <vector>

#include "core/unwind.hpp"
#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gilscope::unwind::find_rule;
  constexpr std::size_t kHeader = 12;
  if (size < kHeader) return 0;
  // A copy of its own, at whose end memory ends that may be read.
  const std::vector<std::uint8_t> segment(data, data + size);
  const auto begin = reinterpret_cast<std::uintptr_t>(segment.data());
  const gilscope::unwind::Tables tables{segment.data(), begin, begin + size};
  std::uint32_t count = 0;
  std::memcpy(&count, data + 8, sizeof count);
  // Into each function of the search table that is there, and to either side of it.
  for (std::size_t i = 0; i < count && kHeader + (i + 1) * 8 <= size && i < 64; ++i) {
    std::int32_t function = 0;
    std::memcpy(&function, data + kHeader + i * 8, sizeof function);
    const std::uintptr_t pc = begin + static_cast<std::uintptr_t>(std::intptr_t{function});
    for (const std::uintptr_t offset : {0, 1, 2, 7, 40, 1000}) find_rule(tables, pc + offset);
  }
  find_rule(tables, 0);
  return 0;
}
