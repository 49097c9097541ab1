#pragma once

#include <cstddef>

namespace parallel_eval {

/// Lyapunov exponent of the logistic map x -> r x (1 - x), in bits per step.
/// Negative where the orbit settles, positive where it is chaotic. Its cost is
/// proportional to `steps` and it touches no shared state.
double lyapunov_exponent(double r, std::size_t steps);

}  // namespace parallel_eval
