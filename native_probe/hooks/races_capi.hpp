// Hooks for the calls by which extension modules read and write Python objects.
#pragma once

#include <vector>

#include "core/got_patcher.hpp"

namespace gilscope::races::capi {

std::vector<Hook> hooks();

}  // namespace gilscope::races::capi
