// Loaded objects of any content: what the loader's own table says of one, and the memory that it
// lies in.
#include <elf.h>
#include <link.h>

#include <cstring>
#include <vector>

#include "core/elf_image.cpp"  // the reader of one object is nobody else's business
#include "fuzz/target.hpp"

namespace {

// An ELF file as a loader would lay it out: segments at their places, and addresses in the dynamic
// section made absolute.
struct Loaded {
  std::vector<unsigned char> memory;
  std::vector<ElfW(Phdr)> headers;
};

constexpr std::size_t kMost = std::size_t{1} << 20;

bool load(const std::uint8_t* data, std::size_t size, Loaded& loaded) {
  ElfW(Ehdr) file{};
  if (size < sizeof file) return false;
  std::memcpy(&file, data, sizeof file);
  std::size_t extent = 0;
  for (unsigned i = 0; i < file.e_phnum && i < 32; ++i) {
    const std::size_t at = file.e_phoff + i * sizeof(ElfW(Phdr));
    ElfW(Phdr) header{};
    if (file.e_phoff > size || at + sizeof header > size) return false;
    std::memcpy(&header, data + at, sizeof header);
    // What the loader would not have mapped is not loaded.
    if (header.p_vaddr > kMost || header.p_memsz > kMost) return false;
    loaded.headers.push_back(header);
    if (header.p_type == PT_LOAD) extent = std::max(extent, header.p_vaddr + header.p_memsz);
  }
  if (extent == 0) return false;
  loaded.memory.resize(extent);
  for (const ElfW(Phdr) & header : loaded.headers) {
    const bool inside = header.p_offset <= size && header.p_filesz <= size - header.p_offset;
    if (header.p_type != PT_LOAD || !inside || header.p_filesz > header.p_memsz) continue;
    std::memcpy(loaded.memory.data() + header.p_vaddr, data + header.p_offset, header.p_filesz);
  }
  return true;
}

void relocate_dynamic(Loaded& loaded) {
  const auto base = reinterpret_cast<ElfW(Addr)>(loaded.memory.data());
  for (const ElfW(Phdr) & header : loaded.headers) {
    if (header.p_type != PT_DYNAMIC) continue;
    for (std::size_t at = header.p_vaddr; at + sizeof(ElfW(Dyn)) <= loaded.memory.size();
         at += sizeof(ElfW(Dyn))) {
      ElfW(Dyn) entry{};
      std::memcpy(&entry, &loaded.memory[at], sizeof entry);
      if (entry.d_tag == DT_NULL) break;
      const bool is_address = entry.d_tag == DT_SYMTAB || entry.d_tag == DT_STRTAB ||
                              entry.d_tag == DT_JMPREL || entry.d_tag == DT_RELA ||
                              entry.d_tag == DT_GNU_HASH || entry.d_tag == DT_HASH;
      if (is_address) entry.d_un.d_ptr += base;
      std::memcpy(&loaded.memory[at], &entry, sizeof entry);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Loaded loaded;
  if (!load(data, size, loaded)) return 0;
  relocate_dynamic(loaded);
  dl_phdr_info info{};
  info.dlpi_addr = reinterpret_cast<ElfW(Addr)>(loaded.memory.data());
  info.dlpi_name = "input";
  info.dlpi_phdr = loaded.headers.data();
  info.dlpi_phnum = static_cast<ElfW(Half)>(loaded.headers.size());
  const gilscope::ElfImage image = gilscope::ImageReader::read(info);
  std::size_t length = image.function("seed_entry").end + image.function("none").end;
  for (const gilscope::Slot& slot : image.slots()) length += slot.symbol.size();
  static volatile std::size_t sink;
  sink = length;
  return 0;
}
