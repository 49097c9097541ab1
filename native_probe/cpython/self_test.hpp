// Proves that what the hooks decode in this interpreter is what really happened.
#pragma once

#include "cpython/self_test_report.hpp"

namespace gilscope {

// Makes one contended lock of each kind and one wait for the GIL, with the hooks in place and a
// private session in memory, and compares what was recorded with what was done. Needs an attached
// thread state; gives the GIL up for moments. Switches the classes off that failed. In a process of
// its own only: it makes threads and thread states, which an interpreter does something once for.
SelfTestReport run_self_test(const ElfImage& interpreter);

}  // namespace gilscope
