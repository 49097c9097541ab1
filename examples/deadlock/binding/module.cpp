#include <pybind11/functional.h>
#include <pybind11/pybind11.h>

#include "deadlock/account.hpp"

namespace py = pybind11;
using deadlock::Account;

PYBIND11_MODULE(deadlock, m, py::mod_gil_not_used()) {
  m.doc() = "An account whose mutex and the GIL are taken in both orders.";
  py::class_<Account>(m, "Account")
      .def(py::init<Account::Listener>(), py::arg("listener"))
      // Takes the mutex, then the GIL: the listener is a Python function.
      .def("deposit", &Account::deposit, py::arg("amount"),
           py::call_guard<py::gil_scoped_release>())
      // Takes the mutex with the GIL held: the other order.
      .def("balance", &Account::balance)
      .def("balance_without_gil", &Account::balance, py::call_guard<py::gil_scoped_release>(),
           "As balance(), but it gives the GIL up first, as everything that may wait should.");
}
