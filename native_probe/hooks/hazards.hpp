// Native code that breaks Python's rules, mostly without visible harm: reference counts
// that change, or objects that are used, in a thread that has no thread state attached.
#pragma once

#include <vector>

#include "core/got_patcher.hpp"
#include "core/session.hpp"

namespace gilscope::hooks::hazards {

// What is hooked in every object but the interpreter.
std::vector<Hook> hooks();

// Counts one, by the call that did it; the first is defined at once, with its stack. `function`: of
// the C API. `frame`: a hook's frame address.
void found(format::HazardKind kind, const char* function, const void* frame);
void found(Recording& recording, format::HazardKind kind, const char* function, const void* frame);

// Before a session becomes active.
void begin_session();
// After it recorded: how often each was found.
void define_counts(Session& session);

}  // namespace gilscope::hooks::hazards
