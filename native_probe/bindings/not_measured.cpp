#include "bindings/not_measured.hpp"

#include <cstdio>
#include <string>
#include <string_view>

#include "hooks/installation.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope::not_measured {
void define(Session& session, const SelfTestResult& tested, bool native_locks) {
  static constexpr std::string_view kPrefix = "not measured: ";
  for (const auto& [name, outcome] : tested) {
    if (outcome.rfind(kPrefix, 0) == 0) {
      session.file().define_not_measured(name, std::string_view(outcome).substr(kPrefix.size()));
    }
  }
  if (!native_locks) {
    session.file().define_not_measured("native_lock", "switched off (native_locks=False)");
  }
  if (const std::size_t failed = hooks::installation::failed(); failed != 0) {
    session.file().define_not_measured(
        "hooks", std::to_string(failed) + " slots are on pages that cannot be made writable");
  }
  if (!hooks::tells_forced_releases()) {
    session.file().define_not_measured("forced_release",
                                       "the interpreter does not export _Py_HandlePending");
  }
}

void define_late_objects(Session& session) {
  constexpr std::size_t kMostNamed = 8;
  std::string names;
  std::size_t n = 0;
  const std::uint64_t start =
      reinterpret_cast<const format::FileHeader*>(session.file().header())->start_ticks;
  for (const auto& [path, ticks] : hooks::installation::late()) {
    if (++n > kMostNamed) continue;
    char until[48];
    std::snprintf(
        until, sizeof until, " until %.6f s",
        static_cast<double>(ticks - start) / static_cast<double>(Clock::ticks_per_second()));
    names += (n == 1 ? "" : ", ") + path.substr(path.rfind('/') + 1) + until;
  }
  if (n == 0) return;
  if (n > kMostNamed) names += " and " + std::to_string(n - kMostNamed) + " more";
  session.file().define_not_measured(
      "objects_loaded_unseen",
      "calls into Python and waits for locks are missing of " + names +
          ": loaded through a pointer to dlopen() or from an object with a search path");
}

}  // namespace gilscope::not_measured
