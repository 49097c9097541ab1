#include "bindings/detached.hpp"

#include <Python.h>
#include <cxxabi.h>

#include <exception>

namespace gilscope {

void without_gil(const std::function<void()>& body) {
  PyThreadState* state = PyEval_SaveThread();
  std::exception_ptr raised;
  try {
    body();
  } catch (const abi::__forced_unwind&) {
    throw;  // the thread was cancelled
  } catch (...) {
    raised = std::current_exception();
  }
  PyEval_RestoreThread(state);
  if (raised) std::rethrow_exception(raised);
}

}  // namespace gilscope
