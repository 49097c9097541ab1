// What is read from objects of other people's making may be anything.
#include <link.h>

#include <algorithm>
#include <cstring>

#include "core/symbols.hpp"
#include "core/unwind.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::unwind::Rule;
using gilscope::unwind::Tables;

// This program's own tables: .eh_frame_hdr, and what follows it in its segment.
Tables own_tables() {
  Tables tables;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto* found = static_cast<Tables*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = info->dlpi_phdr[i];
          const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          if (header.p_type != PT_GNU_EH_FRAME) continue;
          *found = {reinterpret_cast<const void*>(begin), begin, begin};
        }
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = info->dlpi_phdr[i];
          const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          const bool inside = found->begin >= begin && found->begin - begin < header.p_memsz;
          if (header.p_type == PT_LOAD && inside) found->end = begin + header.p_memsz;
        }
        return 1;  // the executable comes first
      },
      &tables);
  return tables;
}

// A copy whose memory ends where it ends, so that a sanitizer sees who reads on.
std::vector<unsigned char> copy_of(const Tables& tables, std::size_t size) {
  const auto* begin = static_cast<const unsigned char*>(tables.header);
  return {begin, begin + std::min(size, static_cast<std::size_t>(tables.end - tables.begin))};
}

std::size_t rules_in(const std::vector<unsigned char>& bytes) {
  constexpr std::size_t kHeader = 12;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  std::size_t found = 0;
  for (std::size_t at = kHeader; at + 8 <= bytes.size() && at < kHeader + 8 * 100; at += 8) {
    std::int32_t function = 0;
    std::memcpy(&function, &bytes[at], sizeof function);
    const std::uintptr_t pc = begin + static_cast<std::uintptr_t>(std::intptr_t{function}) + 1;
    const Rule rule = gilscope::unwind::find_rule({bytes.data(), begin, begin + bytes.size()}, pc);
    found += rule.base != Rule::Base::none ? 1 : 0;
  }
  return found;
}

TEST("unwinding tables give the same rules wherever they are") {
  CHECK(rules_in(copy_of(own_tables(), ~std::size_t{0})) > 50);
}

TEST("unwinding tables that end early are not read beyond their end") {
  for (const std::size_t size : {12, 20, 100, 1000, 5000, 20000, 50000, 100000}) {
    rules_in(copy_of(own_tables(), size));
  }
}

TEST("unwinding tables whose numbers are out of bounds give no rules") {
  std::vector<unsigned char> bytes = copy_of(own_tables(), ~std::size_t{0});
  // The offsets of the descriptions, half of the search table.
  for (std::size_t at = 16; at + 4 <= bytes.size() && at < 4000; at += 8) {
    std::memset(&bytes[at], 0x7F, 4);
  }
  CHECK_EQUAL(rules_in(bytes), 0u);
}

TEST("a file that is not the one that was loaded has no symbols, whatever is asked") {
  // Made here: a literal would stand in the file.
  std::string build_id;
  for (int i = 0; i < 20; ++i) build_id.push_back(static_cast<char>(0xA5 ^ (i * 37)));
  const gilscope::symbols::ObjectFile file("/proc/self/exe", build_id);
  CHECK(!file.has_symbol_with("main"));
}

TEST("a file that is no object has no symbols") {
  const gilscope::symbols::ObjectFile file("/proc/self/status", "Name");
  CHECK(!file.has_symbol_with("main"));
  CHECK(!file.has_text("Name"));
}

}  // namespace
