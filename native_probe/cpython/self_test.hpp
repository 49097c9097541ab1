// Proves, in the running interpreter, that what the hooks decode is what really happened.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace gilscope {

// Class of event to "ok", "not applicable: …" or "not measured: …".
using SelfTestResult = std::map<std::string, std::string>;

// Makes one contended lock of each kind and one wait for the GIL, with the hooks in place and a
// private session in memory, and compares what was recorded with what was done. Needs an attached
// thread state; gives the GIL up for moments. Switches the classes off that failed.
SelfTestResult run_self_test();

// What a stack that has been seen before costs, in femtoseconds, as the self-test found; 0 unknown.
std::uint64_t captured_stack_cost();
// And an uncontended release and acquire of the GIL while it is recorded, in femtoseconds.
std::uint64_t recorded_pair_cost();

}  // namespace gilscope
