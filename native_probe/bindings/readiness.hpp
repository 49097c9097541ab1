// What must be known of the interpreter before the first session of a process. For whoever has the
// turn, with a thread state attached.
#pragma once

#include <string>

#include "core/elf_image.hpp"
#include "cpython/self_test_report.hpp"

namespace gilscope::readiness {

// The interpreter's object, looked at once a process; throws ProbeFailure where the probe cannot
// run.
const ElfImage& interpreter();

// What the self-test said that was adopted; throws ProbeFailure where there is none.
const SelfTestReport& report();

// Runs the self-test in this process; its report as text.
std::string test();

}  // namespace gilscope::readiness
