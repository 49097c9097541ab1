// Hooks for the dynamic loader: objects that come while a session runs.
#pragma once

namespace gilscope::hooks::loader {

// What is called, in the thread that loaded something, when objects may have been added.
void set_listener(void (*listener)());

void* open(const char* file, int flags);
// The interpreter's own calls: it imports an extension module.
void* open_module(const char* file, int flags);

}  // namespace gilscope::hooks::loader
