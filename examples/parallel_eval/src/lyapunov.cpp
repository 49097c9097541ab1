#include "parallel_eval/lyapunov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace parallel_eval {

double lyapunov_exponent(double r, std::size_t steps) {
  if (steps == 0) return 0.0;
  double x = 0.5123;
  double sum = 0.0;
  for (std::size_t i = 0; i < steps; ++i) {
    x = r * x * (1.0 - x);
    // A super-stable orbit meets slope 0, whose logarithm is not a number to add.
    const double slope = std::abs(r * (1.0 - 2.0 * x));
    sum += std::log2(std::max(slope, std::numeric_limits<double>::min()));
  }
  return sum / static_cast<double>(steps);
}

}  // namespace parallel_eval
