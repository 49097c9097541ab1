// Names Python callables: CALLABLE definitions.
#pragma once

#include <cstdint>

#include "core/session.hpp"

namespace gilscope::callable {

// Once a process, with a thread state attached.
void initialize();

// With a thread state attached, while the caller keeps the objects alive. None of these runs Python
// code, and an exception that is set stays so. 0 when it is not known what would be called.
bool is_class(void* object);
std::uint32_t of_object(Session& session, void* object);
std::uint32_t of_method(Session& session, void* self, const char* name);
std::uint32_t of_method(Session& session, void* self, void* name);

}  // namespace gilscope::callable
