#include "core/elf_image.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/loader_call.hpp"

namespace gilscope {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kJumpSlot = R_X86_64_JUMP_SLOT;
constexpr std::uint32_t kGlobDat = R_X86_64_GLOB_DAT;
constexpr std::uint32_t kAbsolute = R_X86_64_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kJumpSlot = R_AARCH64_JUMP_SLOT;
constexpr std::uint32_t kGlobDat = R_AARCH64_GLOB_DAT;
constexpr std::uint32_t kAbsolute = R_AARCH64_ABS64;
#else
#error "gilscope knows the relocations of x86-64 and aarch64 only"
#endif

std::string executable_path() {
  char buffer[4096];
  const ssize_t n = readlink("/proc/self/exe", buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string("executable");
}

}  // namespace

template <typename T>
const T* ElfImage::at(const void* address, std::uint64_t count) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (begin % alignof(T) != 0) return nullptr;
  for (const CodeRange& segment : segments_) {
    if (segment.contains(address) && count <= (segment.end - begin) / sizeof(T)) {
      return static_cast<const T*>(address);
    }
  }
  return nullptr;
}

struct ImageReader {
  static ElfImage read(const dl_phdr_info& info) {
    ElfImage image;
    image.base_ = info.dlpi_addr;
    image.path_ = info.dlpi_name != nullptr ? info.dlpi_name : "";
    const ElfW(Dyn)* dynamic = nullptr;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
      const ElfW(Phdr)& header = info.dlpi_phdr[i];
      const std::uintptr_t begin = info.dlpi_addr + header.p_vaddr;
      if (header.p_type == PT_LOAD) image.segments_.push_back({begin, begin + header.p_memsz});
      if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0) {
        image.code_.push_back({begin, begin + header.p_memsz});
      }
      if (header.p_type == PT_NOTE) image.notes_.push_back({begin, begin + header.p_memsz});
      if (header.p_type == PT_GNU_EH_FRAME) {
        image.unwind_tables_ = reinterpret_cast<const void*>(begin);
      }
      if (header.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(begin);
    }
    read_dynamic(image, dynamic);
    return image;
  }

  static void read_dynamic(ElfImage& image, const ElfW(Dyn) * dynamic) {
    std::size_t sizes[2] = {};
    for (; image.at<ElfW(Dyn)>(dynamic) != nullptr && dynamic->d_tag != DT_NULL; ++dynamic) {
      const auto* address = reinterpret_cast<const void*>(dynamic->d_un.d_ptr);
      switch (dynamic->d_tag) {
        case DT_SYMTAB: image.symbols_ = address; break;
        case DT_STRTAB: image.strings_ = static_cast<const char*>(address); break;
        case DT_JMPREL: image.relocations_[0] = address; break;
        case DT_PLTRELSZ: sizes[0] = dynamic->d_un.d_val; break;
        case DT_RELA: image.relocations_[1] = address; break;
        case DT_RELASZ: sizes[1] = dynamic->d_un.d_val; break;
        case DT_GNU_HASH: image.gnu_hash_ = static_cast<const std::uint32_t*>(address); break;
        case DT_HASH: image.sysv_hash_ = static_cast<const std::uint32_t*>(address); break;
        case DT_RPATH:
        case DT_RUNPATH: image.has_search_path_ = true; break;
        default: break;
      }
    }
    // The loader turns these into addresses, except in objects that it does not relocate (vdso).
    if (!image.contains(image.symbols_) || !image.contains(image.strings_)) {
      image.symbols_ = nullptr;
      return;
    }
    for (int i = 0; i < 2; ++i) image.relocation_count_[i] = sizes[i] / sizeof(ElfW(Rela));
  }
};

std::vector<ElfImage> ElfImage::all() {
  std::vector<ElfImage> images;
  const LoaderCall call;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        static_cast<std::vector<ElfImage>*>(data)->push_back(ImageReader::read(*info));
        return 0;
      },
      &images);
  if (!images.empty() && images.front().path_.empty()) {
    images.front().path_ = executable_path();
    images.front().is_executable_ = true;
  }
  return images;
}

ElfImage ElfImage::containing(const void* address) {
  for (ElfImage& image : all()) {
    if (image.contains(address)) return image;
  }
  return {};
}

CodeRange ElfImage::segment_with(const void* address) const {
  for (const CodeRange& segment : segments_) {
    if (segment.contains(address)) return segment;
  }
  return {};
}

bool ElfImage::is_never_unloaded() const {
  // The vdso has no file.
  return is_executable_ || path_.find('/') == std::string::npos ||
         path_.find("/libc.so") != std::string::npos ||
         path_.find("/ld-linux") != std::string::npos;
}

std::shared_ptr<void> ElfImage::pin() const {
  const LoaderCall call;
  void* handle = dlopen(path_.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return nullptr;
  const link_map* map = nullptr;
  const bool known = dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0;
  // Another object of that name may have taken its place.
  if (!known || map->l_addr != base_) {
    dlclose(handle);
    return nullptr;
  }
  return {handle, [owner = getpid()](void* pinned) {
            // In a forked child the loader's lock may be held by a thread that is not there.
            if (getpid() != owner) return;
            const LoaderCall closing;
            dlclose(pinned);
          }};
}

namespace {

// Offsets and indices of the tables may be anything. One that leads out of the object is no address
// at all, and must not be made one by adding it to a pointer.
const void* offset_by(const void* from, std::uint64_t bytes) {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uint64_t>(from) + bytes);
}

}  // namespace

const void* ElfImage::symbol_at(std::uint64_t index) const {
  return at<ElfW(Sym)>(offset_by(symbols_, index * sizeof(ElfW(Sym))));
}

std::string_view ElfImage::text(std::uint64_t offset) const {
  const auto* begin = at<char>(offset_by(strings_, offset));
  for (const CodeRange& segment : segments_) {
    if (begin == nullptr || !segment.contains(begin)) continue;
    const std::size_t left = segment.end - reinterpret_cast<std::uintptr_t>(begin);
    const void* end = std::memchr(begin, '\0', left);
    if (end != nullptr) {
      return {begin, static_cast<std::size_t>(static_cast<const char*>(end) - begin)};
    }
  }
  return {};
}

std::vector<Slot> ElfImage::slots() const {
  std::vector<Slot> found;
  if (symbols_ == nullptr) return found;
  for (int table = 0; table < 2; ++table) {
    const auto* relocation = at<ElfW(Rela)>(relocations_[table], relocation_count_[table]);
    if (relocation == nullptr) continue;
    for (std::size_t i = 0; i < relocation_count_[table]; ++i, ++relocation) {
      const auto type = static_cast<std::uint32_t>(ELF64_R_TYPE(relocation->r_info));
      const auto symbol = static_cast<std::uint32_t>(ELF64_R_SYM(relocation->r_info));
      if (symbol == 0 || (type != kJumpSlot && type != kGlobDat && type != kAbsolute)) continue;
      // An absolute relocation with an addend points into a symbol, not at it.
      if (type == kAbsolute && relocation->r_addend != 0) continue;
      const auto* definition = static_cast<const ElfW(Sym)*>(symbol_at(symbol));
      const std::uintptr_t slot = base_ + relocation->r_offset;
      if (definition == nullptr || at<void*>(reinterpret_cast<const void*>(slot)) == nullptr) {
        continue;
      }
      found.push_back(
          {reinterpret_cast<void**>(slot), text(definition->st_name), type == kAbsolute});
    }
  }
  return found;
}

CodeRange ElfImage::function(std::string_view name) const {
  if (symbols_ == nullptr) return {};
  return gnu_hash_ != nullptr ? hashed_function(name) : listed_function(name);
}

CodeRange ElfImage::extent(std::size_t symbol) const {
  const auto* found = static_cast<const ElfW(Sym)*>(symbol_at(symbol));
  if (found == nullptr) return {};
  const std::uintptr_t begin = base_ + found->st_value;
  return {begin, begin + found->st_size};
}

// The table has all symbols that the object defines, by a hash of their names.
CodeRange ElfImage::hashed_function(std::string_view name) const {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  constexpr std::uint64_t kWord = sizeof(std::uint32_t);
  const auto* header = at<std::uint32_t>(gnu_hash_, 4);
  if (header == nullptr || header[0] == 0) return {};
  const std::uint32_t buckets = header[0];
  const std::uint32_t first = header[1];
  const std::uint64_t bucket = 4 * kWord + header[2] * std::uint64_t{sizeof(ElfW(Addr))};
  const std::uint64_t chain = bucket + buckets * kWord;
  const auto* begin = at<std::uint32_t>(offset_by(header, bucket + hash % buckets * kWord));
  if (begin == nullptr) return {};
  for (std::uint64_t i = *begin; i >= first; ++i) {
    const auto* entry = at<std::uint32_t>(offset_by(header, chain + (i - first) * kWord));
    const auto* symbol = static_cast<const ElfW(Sym)*>(symbol_at(i));
    if (entry == nullptr || symbol == nullptr) return {};
    if ((*entry | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
        name == text(symbol->st_name)) {
      return extent(i);
    }
    if ((*entry & 1) != 0) break;  // the last one of the bucket
  }
  return {};
}

CodeRange ElfImage::listed_function(std::string_view name) const {
  const auto* header = at<std::uint32_t>(sysv_hash_, 2);
  const std::size_t n = header != nullptr ? header[1] : 0;
  for (std::size_t i = 1; i < n; ++i) {
    const auto* symbol = static_cast<const ElfW(Sym)*>(symbol_at(i));
    if (symbol == nullptr) return {};
    if (symbol->st_shndx != SHN_UNDEF && name == text(symbol->st_name)) return extent(i);
  }
  return {};
}

}  // namespace gilscope
