#pragma once

#include <functional>
#include <mutex>

namespace deadlock {

/// A balance that several threads change, and a listener that hears of each change.
class Account {
 public:
  using Listener = std::function<void(long balance)>;

  explicit Account(Listener listener);

  /// Adds `amount` and tells the listener, with the mutex held: that is the mistake.
  void deposit(long amount);

  long balance() const;

 private:
  mutable std::mutex mutex_;
  Listener listener_;
  long balance_ = 0;
};

}  // namespace deadlock
