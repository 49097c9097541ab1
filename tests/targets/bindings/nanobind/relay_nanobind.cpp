#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/string.h>
#include <nanobind/trampoline.h>

#include "relay.hpp"

namespace nb = nanobind;

namespace {

class PythonLogger : public relay::Logger {
 public:
  NB_TRAMPOLINE(relay::Logger, 1);
  void log(int level, const std::string& text) override { NB_OVERRIDE_PURE(log, level, text); }
};

using Released = nb::call_guard<nb::gil_scoped_release>;

}  // namespace

NB_MODULE(relay_nanobind, m) {
  nb::class_<relay::Logger, PythonLogger>(m, "Logger")
      .def(nb::init<>())
      .def("log", &relay::Logger::log);
  m.def("forward", &relay::forward, Released());
  m.def("forward_from_threads", &relay::forward_from_threads, Released());
  m.def("log_from_threads", &relay::log_from_threads, Released());
  m.def("compute", &relay::compute, Released());
  m.def("contend", &relay::contend, Released());
}
