// Says in the trace which classes of event it does not have.
#pragma once

#include "core/session.hpp"
#include "cpython/self_test_report.hpp"

namespace gilscope::not_measured {

// What is known when recording begins.
void define(Session& session, const SelfTestResult& tested, bool native_locks);

// What the program did in objects that got their hooks late, or never.
void define_late_objects(Session& session);

}  // namespace gilscope::not_measured
