#include <boost/python.hpp>

#include "relay.hpp"

namespace bp = boost::python;

namespace {

// Boost.Python leaves threads and the GIL to its users.
class Attached {
 public:
  Attached() : state_(PyGILState_Ensure()) {}
  ~Attached() { PyGILState_Release(state_); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  PyGILState_STATE state_;
};

class Detached {
 public:
  Detached() : state_(PyEval_SaveThread()) {}
  ~Detached() { PyEval_RestoreThread(state_); }
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

 private:
  PyThreadState* state_;
};

class PythonLogger : public relay::Logger, public bp::wrapper<relay::Logger> {
 public:
  void log(int level, const std::string& text) override {
    const Attached attached;
    get_override("log")(level, text);
  }
};

// By reference: a copy would count references to it without the GIL.
relay::Callback bound(const bp::object& callable) {
  return [&callable](int i) {
    const Attached attached;
    callable(i);
  };
}

void forward(const bp::object& callable, int calls) {
  const Detached detached;
  relay::forward(bound(callable), calls);
}

void forward_from_threads(const bp::object& callable, int threads, int calls) {
  const Detached detached;
  relay::forward_from_threads(bound(callable), threads, calls);
}

void log_from_threads(PythonLogger& logger, int threads, int records) {
  const Detached detached;
  relay::log_from_threads(logger, threads, records);
}

std::uint64_t compute(int steps) {
  const Detached detached;
  return relay::compute(steps);
}

int contend(int rounds) {
  const Detached detached;
  return relay::contend(rounds);
}

}  // namespace

BOOST_PYTHON_MODULE(relay_boost) {
  bp::class_<PythonLogger, boost::noncopyable>("Logger").def("log",
                                                             bp::pure_virtual(&relay::Logger::log));
  bp::def("forward", forward);
  bp::def("forward_from_threads", forward_from_threads);
  bp::def("log_from_threads", log_from_threads);
  bp::def("compute", compute);
  bp::def("contend", contend);
}
