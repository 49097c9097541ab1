#pragma once

#include <cstddef>
#include <cstdint>

#include "native_logging/logger.hpp"

namespace native_logging {

/// An image of the Mandelbrot set, and how to share out its making.
struct Task {
  std::size_t rows;
  std::size_t columns;
  unsigned limit = 200;  ///< iterations after which a point counts as inside
  std::size_t threads = 4;
  std::size_t batch = 1;  ///< records that a worker hands over at a time
};

/// Computes the image on threads called log-worker-0, log-worker-1, ..., which log one record a
/// row as soon as they have computed it, or `batch` of them at a time.
///
/// Returns the iterations of all points: it depends on rows, columns and limit alone. Throws
/// std::invalid_argument if threads or batch is 0. The first exception that `logger` throws is
/// thrown here after all workers have stopped, which they do before their next row; records that
/// wait in a batch then are lost.
std::uint64_t render(const Task& task, Logger& logger);

}  // namespace native_logging
