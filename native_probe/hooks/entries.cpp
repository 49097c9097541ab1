#include "hooks/entries.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "core/native_stack.hpp"
#include "core/symbols.hpp"

namespace gilscope::hooks::entries {
namespace {

using format::Binding;
using symbols::Native;

constexpr std::size_t kFrames = 24;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [text](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

// "void std::__invoke_impl<void, F>(F&&)" → "std::__invoke_impl<void, F>(F&&)": templates have
// their return type in front.
std::string_view without_return_type(std::string_view name) {
  static constexpr std::string_view kAnonymous = "(anonymous namespace)";
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && starts_with(name.substr(i), kAnonymous)) {
      i += kAnonymous.size() - 1;
      continue;
    }
    const char c = name[i];
    if (c == '(' && depth == 0) break;
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
    if (c == ' ' && depth == 0) begin = i + 1;
  }
  return name.substr(begin);
}

// Objects that are nothing but a binding's machinery.
bool is_machinery(const Native::Module& module) {
  const std::string_view path = module.path;
  const std::string_view file = path.substr(path.rfind('/') + 1);
  return has_any(file, {"_ctypes.", "_cffi_backend.", "libffi", "libboost_python", "libnanobind"});
}

bool is_machinery(std::string_view function) {
  const std::string_view name = without_return_type(function);
  static constexpr std::string_view kPrefixes[] = {
      "pybind11::",      "nanobind::",     "nb_",     "boost::python::",
      "boost::function", "boost::_bi::",   "std::",   "__gnu_cxx::",
      "__Pyx_",          "pyo3::",         "<pyo3::", "pyo3_ffi::",
      "core::",          "alloc::",        "<core::", "<alloc::",
      "<std::",          "boost::detail::"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [name](std::string_view prefix) { return starts_with(name, prefix); });
}

// By what the object that entered has in it, and nothing else.
Binding binding_of(const Native::Module& module) {
  if (module.path.find("/_ctypes.") != std::string::npos) return Binding::ctypes;
  if (module.path.find("/_cffi_backend.") != std::string::npos) return Binding::cffi;
  const symbols::ObjectFile file(module.path, module.build_id);
  if (file.has_text("__pybind11_internals_v") || file.has_symbol_with("_ZN8pybind11")) {
    return Binding::pybind11;
  }
  if (file.has_symbol_with("_ZN8nanobind") || file.has_symbol_with("PyInit_nanobind") ||
      file.has_text("nanobind::")) {
    return Binding::nanobind;
  }
  if (file.has_symbol_with("_ZN5boost6python")) return Binding::boost_python;
  if (file.has_text("cython_runtime") || file.has_symbol_with("__pyx_")) return Binding::cython;
  if (file.has_text("pyo3_runtime") || file.has_symbol_with("4pyo3")) return Binding::pyo3;
  return file.has_symbol_with("PyInit_") || file.has_symbol_with("PyGILState_") ||
                 file.has_symbol_with("PyEval_") || file.has_symbol_with("PyThreadState_")
             ? Binding::c_api
             : Binding::unknown;
}

class Resolver {
 public:
  explicit Resolver(Session& session) : session_(session) {}

  void run() {
    native_ = symbols::resolve_sites(session_);
    for (auto& [id, entry] : native_.entries) define(entry);
  }

 private:
  const Native::Module* module_of(std::uint32_t site) const {
    const auto found = native_.sites.find(site);
    if (found == native_.sites.end()) return nullptr;
    const auto module = native_.modules.find(found->second.body.module);
    return module != native_.modules.end() ? &module->second : nullptr;
  }

  Binding binding(std::uint32_t site) {
    const Native::Module* module = module_of(site);
    if (module == nullptr) return Binding::unknown;
    const auto [known, is_new] = bindings_.try_emplace(module->path, Binding::unknown);
    if (is_new) known->second = binding_of(*module);
    return known->second;
  }

  bool is_bindings_own(std::uint32_t site) const {
    const Native::Module* module = module_of(site);
    return module != nullptr && (is_machinery(*module) || is_machinery(function(site)));
  }

  std::string_view function(std::uint32_t site) const {
    const auto found = native_.sites.find(site);
    return found != native_.sites.end() ? std::string_view(found->second.function)
                                        : std::string_view();
  }

  void define(Native::Entry& entry) {
    if (entry.sites.empty() || entry.body.binding != 0) return;
    const auto first = std::find_if(entry.sites.begin(), entry.sites.end(),
                                    [this](std::uint32_t site) { return !is_bindings_own(site); });
    entry.body.site = first != entry.sites.end() ? *first : entry.sites.front();
    entry.body.binding = static_cast<std::uint16_t>(binding(entry.sites.front()));
    session_.file().extend(TraceFile::alignment());
    session_.file().define(entry.body);
  }

  Session& session_;
  Native native_;
  std::map<std::string, Binding> bindings_;
};

std::uint32_t define(Session& session, const void* const* addresses, std::size_t n) {
  if (n == 0) return 0;
  std::uint64_t hash = n;
  for (std::size_t i = 0; i < n; ++i) {
    // Order counts: the rotation moves each address to another place of the sum.
    hash = (hash << 5 | hash >> 59) ^ reinterpret_cast<std::uint64_t>(addresses[i]);
    hash *= 0x9E3779B97F4A7C15u;
  }
  const IdTable::Found found = session.definitions().entries.find(mix(hash));
  if (!found.is_new) return found.id;
  format::Stack<kFrames> stack;
  for (std::size_t i = 0; i < n; ++i) stack.add_site(native_stack::site(session, addresses[i]));
  const IdTable::Found stack_id = session.definitions().stacks.find(mix(hash ^ format::kSiteFrame));
  stack.head.id = stack_id.id;
  if (stack_id.is_new) session.file().define(stack);
  const std::uint32_t site = stack.frames[0].what & ~format::kSiteFrame;
  session.file().define(format::EntryBody{found.id, site, 0, 0, stack_id.id});
  return found.id;
}

}  // namespace

std::uint32_t find(Recording& recording, const void* frame) {
  const auto place = reinterpret_cast<std::uintptr_t>(frame);
  // The hook's frame and who called it: that is as many as there are ways in.
  const std::uintptr_t caller = reinterpret_cast<const std::uintptr_t*>(frame)[1];
  Trail& trail = recording.log().trails[(place >> 4 ^ caller) % ThreadLog::kTrails];
  const std::uint64_t session = recording.session().id();
  if (__builtin_expect(native_stack::is_same_walk(trail, session, frame), 1)) return trail.result;
  const void* addresses[kFrames];
  const std::size_t n = native_stack::capture(frame, addresses, kFrames, &trail);
  trail.session = session;
  trail.frame = place;
  trail.result = define(recording.session(), addresses, n);
  return trail.result;
}

void resolve(Session& session) { Resolver(session).run(); }

}  // namespace gilscope::hooks::entries
