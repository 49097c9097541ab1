// Hooks for the dynamic loader: objects that come while a session runs.
#pragma once

namespace gilscope::hooks::loader {

void* open(const char* file, int flags);
// The interpreter's own calls: it imports an extension module.
void* open_module(const char* file, int flags);

}  // namespace gilscope::hooks::loader
