// A copy of what a session has recorded so far, while it goes on recording.
#pragma once

#include <string>

namespace gilscope {

class Session;

// Writes a trace of its own to `path` (an existing file is replaced): whole, with an END of reason
// "snapshot". The session must not be stopped meanwhile; one snapshot at a time. Throws
// std::system_error when the file cannot be written; there is none then.
void write_snapshot(Session& session, const std::string& path, bool gil_enabled);

}  // namespace gilscope
