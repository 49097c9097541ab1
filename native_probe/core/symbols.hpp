// Names of native code: for the sites of a trace, from the files of the loaded objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/session.hpp"

namespace gilscope::symbols {

// The extent of a function or a variable, as addresses in the file, and its name.
struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
  std::string_view name;  // mangled
};

// The file of a loaded object. Nothing is in it when the file is gone or is another one by now.
class ObjectFile {
 public:
  // `build_id` as the loaded object has it. Without one, the file cannot be told from another.
  ObjectFile(const std::string& path, std::string_view build_id);
  ~ObjectFile();
  ObjectFile(const ObjectFile&) = delete;
  ObjectFile& operator=(const ObjectFile&) = delete;

  // Calls `visit(extent)` for every function of .symtab, or of .dynsym where that was stripped.
  template <typename Visit>
  void for_each_function(Visit visit) const {
    for_each(Symbol::function, visit);
  }
  // The same for variables.
  template <typename Visit>
  void for_each_variable(Visit visit) const {
    for_each(Symbol::variable, visit);
  }
  // Whether a symbol of the file, defined or not, has this in its name.
  bool has_symbol_with(std::string_view part) const;
  // Whether the constants of the program have this text in them.
  bool has_text(std::string_view text) const;

 private:
  enum class Symbol : std::uint8_t { function, variable };

  template <typename Visit>
  void for_each(Symbol kind, Visit visit) const {
    for (std::size_t i = 0; i < symbol_count(); ++i) {
      Extent extent{};
      if (symbol_at(i, kind, extent)) visit(extent);
    }
  }
  void read_sections();
  bool is_same(std::string_view build_id) const;
  std::size_t symbol_count() const;
  bool symbol_at(std::size_t index, Symbol kind, Extent& extent) const;
  bool holds(std::uint64_t offset, std::uint64_t size) const;
  template <typename Header>
  Header header_at(std::uint64_t offset) const;
  std::string_view content_of(std::uint64_t offset, std::uint64_t size) const;

  const char* data_ = nullptr;
  std::size_t size_ = 0;
  std::string_view symbols_;
  std::string_view names_;
  std::vector<std::string_view> constants_;
};

std::string demangle(std::string_view name);

// The definitions of native code in a session's file.
struct Native {
  struct Module {
    std::string path;
    std::string build_id;
  };
  struct Site {
    format::SiteBody body;
    std::string function;
  };
  struct Entry {
    format::EntryBody body;
    std::vector<std::uint32_t> sites;  // the innermost first
  };
  std::map<std::uint32_t, Module> modules;
  std::map<std::uint32_t, Site> sites;
  std::map<std::uint32_t, Entry> entries;
};

// The session is over and its file still mapped: finds the function of every SITE that has none and
// defines those anew. Returns all that is defined then.
Native resolve_sites(Session& session);

}  // namespace gilscope::symbols
