// What the self-test of this interpreter said: it runs in another process, whose report is adopted.
#pragma once

#include <string>

#include "core/elf_image.hpp"
#include "cpython/self_test_report.hpp"

namespace gilscope::self_test {

// Asks the loader which code this is, once; without the GIL, and before all of the following.
void know_code(const ElfImage& interpreter);

// What a report depends on: the code of the interpreter, of the C library and of the probe, the
// processor's model, and whether the GIL is on. It can be the name of a file.
std::string key(const ElfImage& interpreter);

// The report that was adopted, if it is one for this key.
const SelfTestReport* known(const std::string& key);

// The report that was adopted last, for whichever key: the GIL may have been switched on since.
const SelfTestReport* adopted();

// While no session runs. False, and nothing is known, when the text is not a report for this key.
bool adopt(const ElfImage& interpreter, const std::string& key, const std::string& text);
// There is no report, for this reason: nothing is measured that would have to be proved.
void lack(const ElfImage& interpreter, const std::string& key, const std::string& why);

}  // namespace gilscope::self_test
