// The result of a self-test, and its transfer to other processes of the same interpreter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cpython/park_sites.hpp"
#include "cpython/parking.hpp"
#include "hooks/spins.hpp"

namespace gilscope {

// Class of event to "ok", "not applicable: …" or "not measured: …".
using SelfTestResult = std::map<std::string, std::string>;

struct SelfTestReport {
  SelfTestResult outcomes;
  // Whether all that was to happen did: false where a thread could not be made, or did not come to
  // wait in time. The interpreter may do better at another time.
  bool complete = true;
  std::uint64_t pair_cost = 0;   // femtoseconds that an uncontended pair takes longer; 0 unknown
  std::uint64_t stack_cost = 0;  // femtoseconds of a stack that has been seen before; 0 unknown
  // Places in the interpreter's code.
  parking::ParkSites park_sites;
  parking::JoinStack join_stack;
  hooks::spins::Sites spin_sites;
};

// As text, for whoever has the same `key`, and back. Nothing for a text that is damaged or of
// another key.
std::string write_report(const SelfTestReport& report, const std::string& key);
std::optional<SelfTestReport> read_report(const std::string& text, const std::string& key);

// The report of a self-test that could not run.
SelfTestReport no_report(const std::string& why);

// Tells the hooks what was found out, and switches the classes off that failed. While no session
// runs. False when it cannot be true of this interpreter.
bool adopt_report(const ElfImage& interpreter, const SelfTestReport& report);

}  // namespace gilscope
