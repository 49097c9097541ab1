// The cost of the probe, measured in the process that it records.
#pragma once

#include <cstdint>

namespace gilscope::cost {

// Femtoseconds of an uncontended PyEval_SaveThread and PyEval_RestoreThread as things are now: the
// least of many short series, since other threads may come in between. Takes a few milliseconds.
// Needs an attached thread state.
std::uint64_t pair();

}  // namespace gilscope::cost
