#include "core/symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

namespace gilscope::symbols {
namespace {

using format::Definition;

// Texts and stacks while the rest is read.
struct Parts {
  std::unordered_map<std::uint32_t, std::string_view> strings;
  std::unordered_map<std::uint32_t, std::uint32_t> paths;  // of modules
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> stacks;
};

void read_stack(const Definition& definition, const format::StackBody& head, Parts& parts) {
  std::vector<std::uint32_t> sites;
  for (std::uint32_t i = 0; i < head.count; ++i) {
    const auto frame =
        definition.at<format::Frame>(sizeof head + std::size_t{i} * sizeof(format::Frame));
    if (!frame || (frame->what & format::kSiteFrame) == 0) break;
    sites.push_back(frame->what & ~format::kSiteFrame);
  }
  parts.stacks[head.id] = std::move(sites);
}

void read_definition(const Definition& definition, Native& native, Parts& parts) {
  if (const auto text = definition.as<format::StringBody>()) {
    parts.strings[text->id] = definition.text(sizeof *text, text->length);
  } else if (const auto module = definition.as<format::ModuleBody>()) {
    native.modules[module->id].build_id = definition.text(sizeof *module, module->length);
    parts.paths[module->id] = module->path;
  } else if (const auto site = definition.as<format::SiteBody>()) {
    native.sites[site->id].body = *site;
  } else if (const auto stack = definition.as<format::StackBody>()) {
    read_stack(definition, *stack, parts);
  } else if (const auto entry = definition.as<format::EntryBody>()) {
    native.entries[entry->id].body = *entry;
  }
}

Native read_native(const TraceFile& file) {
  Native native;
  Parts parts;
  file.for_each_definition(
      [&](const Definition& definition) { read_definition(definition, native, parts); });
  auto text = [&parts](std::uint32_t id) {
    const auto found = parts.strings.find(id);
    return found != parts.strings.end() ? std::string(found->second) : std::string();
  };
  for (auto& [id, module] : native.modules) module.path = text(parts.paths[id]);
  for (auto& [id, site] : native.sites) site.function = text(site.body.function);
  for (auto& [id, entry] : native.entries) {
    const auto stack = parts.stacks.find(entry.body.stack);
    if (stack != parts.stacks.end()) entry.sites = stack->second;
  }
  return native;
}

// The functions at some addresses of one object, in one pass over its symbols.
void name_sites(const ObjectFile& file, std::vector<Native::Site*>& sites) {
  auto before = [](const Native::Site* site, std::uint64_t address) {
    // A call can be the last instruction of a function: look at the call, not at the return.
    return site->body.offset - 1 < address;
  };
  std::sort(sites.begin(), sites.end(), [](const Native::Site* a, const Native::Site* b) {
    return a->body.offset < b->body.offset;
  });
  std::vector<std::string_view> names(sites.size());
  file.for_each_function([&](const Extent& function) {
    auto site = std::lower_bound(sites.begin(), sites.end(), function.begin, before);
    for (; site != sites.end() && (*site)->body.offset - 1 < function.end; ++site) {
      std::string_view& name = names[static_cast<std::size_t>(site - sites.begin())];
      if (name.empty()) name = function.name;
    }
  });
  for (std::size_t i = 0; i < sites.size(); ++i) sites[i]->function = demangle(names[i]);
}

// Much faster than std::string_view::find() in the megabytes that this searches.
bool holds_text(std::string_view in, std::string_view text) {
  return !in.empty() && memmem(in.data(), in.size(), text.data(), text.size()) != nullptr;
}

void define_site(Session& session, Native::Site& site) {
  if (site.function.empty()) return;
  // The session's own thread has ended: no other thread makes room.
  session.file().extend(site.function.size() + TraceFile::alignment());
  site.body.function = session.string(site.function);
  if (site.body.function == 0) return;
  session.file().define(site.body);
}

}  // namespace

ObjectFile::ObjectFile(const std::string& path, std::string_view build_id) {
  if (build_id.empty()) return;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat status{};
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory != MAP_FAILED) {
      data_ = static_cast<const char*>(memory);
      size_ = size;
    }
  }
  close(fd);
  if (data_ == nullptr) return;
  read_sections();
  if (is_same(build_id)) return;
  symbols_ = names_ = {};
  constants_.clear();
}

ObjectFile::~ObjectFile() {
  if (data_ != nullptr) munmap(const_cast<char*>(data_), size_);
}

bool ObjectFile::holds(std::uint64_t offset, std::uint64_t size) const {
  return offset <= size_ && size <= size_ - offset;
}

// A header of the file, which need not stand where the processor would like it.
template <typename Header>
Header ObjectFile::header_at(std::uint64_t offset) const {
  Header header{};
  if (holds(offset, sizeof header)) std::memcpy(&header, data_ + offset, sizeof header);
  return header;
}

std::string_view ObjectFile::content_of(std::uint64_t offset, std::uint64_t size) const {
  return holds(offset, size) ? std::string_view(data_ + offset, size) : std::string_view();
}

void ObjectFile::read_sections() {
  using Section = ElfW(Shdr);
  const auto file = header_at<ElfW(Ehdr)>(0);
  if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_shentsize != sizeof(Section) ||
      !holds(file.e_shoff, std::uint64_t{file.e_shnum} * sizeof(Section))) {
    return;
  }
  for (unsigned i = 0; i < file.e_shnum; ++i) {
    const auto section = header_at<Section>(file.e_shoff + i * sizeof(Section));
    if (section.sh_type == SHT_NOBITS) continue;
    const std::string_view content = content_of(section.sh_offset, section.sh_size);
    if (content.empty()) continue;
    const bool is_constant = (section.sh_flags & SHF_ALLOC) != 0 &&
                             (section.sh_flags & SHF_EXECINSTR) == 0 &&
                             section.sh_type == SHT_PROGBITS;
    if (is_constant || section.sh_type == SHT_NOTE) constants_.push_back(content);
    const bool is_table =
        section.sh_type == SHT_SYMTAB || (section.sh_type == SHT_DYNSYM && symbols_.empty());
    if (!is_table || section.sh_link >= file.e_shnum) continue;
    const auto strings = header_at<Section>(file.e_shoff + section.sh_link * sizeof(Section));
    const std::string_view names = content_of(strings.sh_offset, strings.sh_size);
    // Whatever offset a symbol has, its name ends.
    if (names.empty() || names.back() != '\0') continue;
    symbols_ = content;
    names_ = names;
  }
}

bool ObjectFile::is_same(std::string_view build_id) const { return has_text(build_id); }

bool ObjectFile::has_text(std::string_view text) const {
  return std::any_of(constants_.begin(), constants_.end(),
                     [text](std::string_view constants) { return holds_text(constants, text); });
}

bool ObjectFile::has_symbol_with(std::string_view part) const { return holds_text(names_, part); }

std::size_t ObjectFile::symbol_count() const { return symbols_.size() / sizeof(ElfW(Sym)); }

bool ObjectFile::symbol_at(std::size_t index, Symbol kind, Extent& extent) const {
  ElfW(Sym) symbol{};
  std::memcpy(&symbol, symbols_.data() + index * sizeof symbol, sizeof symbol);
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  const bool is_wanted =
      kind == Symbol::variable ? type == STT_OBJECT : type == STT_FUNC || type == STT_GNU_IFUNC;
  if (!is_wanted || symbol.st_shndx == SHN_UNDEF || symbol.st_size == 0 ||
      symbol.st_name >= names_.size()) {
    return false;
  }
  extent = {symbol.st_value, symbol.st_value + symbol.st_size, names_.data() + symbol.st_name};
  return true;
}

std::string demangle(std::string_view name) {
  std::string whole(name);
  int status = -1;
  // Only names of C++ begin so; a C function may be called like a mangled type.
  if (whole.compare(0, 2, "_Z") != 0) return whole;
  const std::unique_ptr<char, decltype(&std::free)> plain(
      abi::__cxa_demangle(whole.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(plain.get()) : whole;
}

Native resolve_sites(Session& session) {
  Native native = read_native(session.file());
  std::map<std::uint32_t, std::vector<Native::Site*>> nameless;
  for (auto& [id, site] : native.sites) {
    if (site.function.empty() && site.body.module != 0) nameless[site.body.module].push_back(&site);
  }
  for (auto& [id, sites] : nameless) {
    const auto module = native.modules.find(id);
    if (module == native.modules.end()) continue;
    name_sites(ObjectFile(module->second.path, module->second.build_id), sites);
    for (Native::Site* site : sites) define_site(session, *site);
  }
  return native;
}

}  // namespace gilscope::symbols
