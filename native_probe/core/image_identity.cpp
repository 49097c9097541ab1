#include "core/image_identity.hpp"

#include <elf.h>

#include <cstdint>
#include <cstring>

#include "core/id_table.hpp"
#include "core/loader_call.hpp"

namespace gilscope {
namespace {

struct Search {
  std::uintptr_t address;
  std::string found;
};

// Some builds have no build id (those of LLVM's linker, unless they ask for one). A word at a time:
// this is some megabytes.
std::uint64_t digest_of_code(const dl_phdr_info& info) {
  std::uint64_t digest = 0;
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const auto* at = reinterpret_cast<const char*>(info.dlpi_addr + header.p_vaddr);
    for (std::size_t n = 0; n + sizeof digest <= header.p_filesz; n += sizeof digest) {
      std::uint64_t word = 0;
      std::memcpy(&word, at + n, sizeof word);
      digest = mix(digest ^ word);
    }
  }
  return digest;
}

bool has(const dl_phdr_info& info, std::uintptr_t address) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    const std::uintptr_t begin = info.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && address >= begin && address < begin + header.p_memsz) {
      return true;
    }
  }
  return false;
}

std::string hexadecimal(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4U];
    text += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

std::string identity(const dl_phdr_info& info) {
  std::string id;
  for (int i = 0; i < info.dlpi_phnum && id.empty(); ++i) {
    if (info.dlpi_phdr[i].p_type == PT_NOTE) id = read_build_id(info, info.dlpi_phdr[i]);
  }
  if (id.empty()) {
    const std::uint64_t digest = digest_of_code(info);
    id.assign(reinterpret_cast<const char*>(&digest), sizeof digest);
  }
  return hexadecimal(id);
}

}  // namespace

std::string read_build_id(const dl_phdr_info& info, const ElfW(Phdr) & header) {
  constexpr std::size_t kAligned = 4;
  const auto* at = reinterpret_cast<const char*>(info.dlpi_addr + header.p_vaddr);
  const char* end = at + header.p_memsz;
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) note{};
    std::memcpy(&note, at, sizeof note);
    const char* name = at + sizeof note;
    const char* content = name + (note.n_namesz + kAligned - 1) / kAligned * kAligned;
    const char* next = content + (note.n_descsz + kAligned - 1) / kAligned * kAligned;
    if (next > end) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      return {content, note.n_descsz};
    }
    at = next;
  }
  return {};
}

std::string identity_of_image(const void* address) {
  Search search{reinterpret_cast<std::uintptr_t>(address), {}};
  const LoaderCall call;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        if (!has(*info, wanted.address)) return 0;
        wanted.found = identity(*info);
        return 1;
      },
      &search);
  return search.found;
}

}  // namespace gilscope
