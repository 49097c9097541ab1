#include "deadlock/account.hpp"

#include <utility>

namespace deadlock {

Account::Account(Listener listener) : listener_(std::move(listener)) {}

void Account::deposit(long amount) {
  const std::lock_guard lock(mutex_);
  balance_ += amount;
  listener_(balance_);
}

long Account::balance() const {
  const std::lock_guard lock(mutex_);
  return balance_;
}

}  // namespace deadlock
