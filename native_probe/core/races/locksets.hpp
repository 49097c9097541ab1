// Sets of locks, each of which has one number.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace gilscope::races {

class Locksets {
 public:
  using Set = std::vector<std::uint64_t>;  // in ascending order
  static constexpr std::uint32_t kEmpty = 0;

  Locksets() { sets_.emplace_back(); }

  std::uint32_t number(const Set& set) {
    if (set.empty()) return kEmpty;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [place, is_new] = numbers_.try_emplace(set, sets_.size());
    if (is_new) sets_.push_back(set);
    return place->second;
  }

  Set of(std::uint32_t number) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sets_[number];
  }

  bool have_common(std::uint32_t a, std::uint32_t b) const {
    if (a == kEmpty || b == kEmpty) return false;
    if (a == b) return true;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const std::uint64_t one : sets_[a]) {
      for (const std::uint64_t other : sets_[b]) {
        if (one == other) return true;
      }
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::map<Set, std::uint32_t> numbers_;
  std::vector<Set> sets_;
};

}  // namespace gilscope::races
