#include "bindings/self_test.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>

#include "core/clock.hpp"
#include "core/id_table.hpp"
#include "core/image_identity.hpp"
#include "cpython/layout.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gilscope::self_test {
namespace {

// Changed only by the thread that controls the probe.
struct Known {
  std::string key;
  std::optional<SelfTestReport> report;
};

// As hooks::installation's.
Known& the_state = *new Known;

Known& state() { return the_state; }

// The costs in a report are those of one model; it has a name on x86-64.
std::string processor() {
#if defined(__x86_64__)
  constexpr unsigned kFirst = 0x80000002;
  constexpr unsigned kLast = 0x80000004;
  unsigned words[12] = {};
  unsigned* word = words;
  for (unsigned leaf = kFirst; leaf <= kLast; ++leaf, word += 4) {
    if (__get_cpuid(leaf, word, word + 1, word + 2, word + 3) == 0) return {};
  }
  return {reinterpret_cast<const char*>(words), sizeof words};
#else
  return {};
#endif
}

// The code stays the same while the process lives. By one thread at a time, as all this.
const std::string& key_of_code(const ElfImage& interpreter) {
  static const std::string* key = nullptr;
  if (key != nullptr) return *key;
  key = new std::string([&interpreter] {
    const std::string other = identity_of_image(reinterpret_cast<const void*>(&getpid)) +
                              processor() + (Clock::is_counter() ? "counter" : "clock");
    char digest[20];
    std::snprintf(digest, sizeof digest, "%016llx",
                  static_cast<unsigned long long>(mix(std::string_view(other))));
    return identity_of_image(reinterpret_cast<const void*>(interpreter.base())) + '-' +
           identity_of_image(reinterpret_cast<const void*>(&processor)) + '-' + digest;
  }());
  return *key;
}

}  // namespace

void know_code(const ElfImage& interpreter) { key_of_code(interpreter); }

std::string key(const ElfImage& interpreter) {
  return key_of_code(interpreter) + (gilscope_gil_enabled_for_good() != 0 ? "-gil" : "-free");
}

const SelfTestReport* known(const std::string& key) {
  const Known& now = state();
  return now.report && now.key == key ? &*now.report : nullptr;
}

const SelfTestReport* adopted() {
  const Known& now = state();
  return now.report ? &*now.report : nullptr;
}

bool adopt(const ElfImage& interpreter, const std::string& key, const std::string& text) {
  Known& now = state();
  now.report.reset();
  const std::optional<SelfTestReport> report = read_report(text, key);
  if (!report || !adopt_report(interpreter, *report)) return false;
  now = {key, report};
  return true;
}

void lack(const ElfImage& interpreter, const std::string& key, const std::string& why) {
  SelfTestReport report = no_report(why);
  adopt_report(interpreter, report);
  state() = {key, std::move(report)};
}

}  // namespace gilscope::self_test
