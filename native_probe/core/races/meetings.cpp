#include "core/races/meetings.hpp"

#include <chrono>
#include <thread>

namespace gilscope::races {
namespace {

// The instruction that came by is executed after its event: one that was held gives it time.
constexpr std::chrono::milliseconds kGrace{2};

}  // namespace

std::size_t Meetings::add(bool has_two_passes, std::uint32_t kind) {
  const std::lock_guard<std::mutex> lock(mutex_);
  plans_.emplace_back();
  plans_.back().has_two_passes = has_two_passes;
  plans_.back().kind = kind;
  return plans_.size() - 1;
}

void Meetings::place(std::uint32_t site, std::size_t plan, Role role) {
  const std::lock_guard<std::mutex> lock(mutex_);
  places_.emplace(site, Task{plan, role});
  if (role == Role::wait_at_lock) plans_[plan].waits_at_lock = true;
  is_used_.store(true, std::memory_order_release);
}

bool Meetings::has(std::uint32_t site) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return places_.find(site) != places_.end();
}

std::vector<Meetings::Task> Meetings::tasks_of(std::uint32_t site) const {
  std::vector<Task> tasks;
  const auto [first, last] = places_.equal_range(site);
  for (auto each = first; each != last; ++each) tasks.push_back(each->second);
  return tasks;
}

void Meetings::arrive(const Arrival& arrival) {
  bool was_met = false;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    for (const Task& task : tasks_of(arrival.site)) {
      Plan& plan = plans_[task.plan];
      if (plan.is_over() || plan.is_met_by(arrival) || !plan.is_about(arrival.key)) continue;
      if (task.role == Role::first) {
        plan.firsts[arrival.thread] = arrival;
      } else if (plan.waits_at_lock && task.role != Role::hold) {
        continue;  // it holds what the other one needs
      } else if (task.role == Role::hold) {
        was_met = hold(lock, task.plan, arrival) || was_met;
      } else {
        wait_for_held(lock, task.plan, arrival);
      }
    }
  }
  if (was_met) std::this_thread::sleep_for(kGrace);
}

void Meetings::arrive_at_lock(std::uint32_t site, std::uint32_t thread) {
  bool was_met = false;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    for (const Task& task : tasks_of(site)) {
      Plan& plan = plans_[task.plan];
      if (plan.is_over()) continue;
      if (task.role == Role::wait_at_lock) wait_for_held(lock, task.plan, {site, thread, 0, 0});
      const auto first = plan.firsts.find(thread);
      if (task.role != Role::hold_at_lock || first == plan.firsts.end()) continue;
      const Arrival arrival = first->second;
      plan.firsts.erase(first);
      was_met = hold(lock, task.plan, arrival) || was_met;
    }
  }
  if (was_met) std::this_thread::sleep_for(kGrace);
}

// Whether the other thread came by meanwhile.
bool Meetings::hold(std::unique_lock<std::mutex>& lock, std::size_t number,
                    const Arrival& arrival) {
  if (plans_[number].is_held || plans_[number].count.holds >= kMostHolds) return false;
  {
    Plan& plan = plans_[number];
    plan.is_held = true;
    plan.held = arrival;
    plan.done = 0;
    ++plan.count.holds;
  }
  changed_.notify_all();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms_);
  changed_.wait_until(lock, end, [this, number] { return plans_[number].is_over(); });
  plans_[number].is_held = false;
  return plans_[number].is_over();
}

// So that a thread that comes by once does not do so too early.
void Meetings::wait_for_held(std::unique_lock<std::mutex>& lock, std::size_t number,
                             const Arrival& arrival) {
  {
    Plan& plan = plans_[number];
    // One that does the second of two has done the first: it is on its way.
    if (plan.is_waited_for || plan.waits >= kMostHolds || plan.is_held) return;
    plan.is_waited_for = true;
    ++plan.waits;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms_);
  changed_.wait_until(lock, end, [this, number, &arrival] {
    const Plan& plan = plans_[number];
    return plan.is_over() || (plan.waits_at_lock ? plan.is_held : plan.is_met_by(arrival));
  });
  plans_[number].is_waited_for = false;
}

void Meetings::passed(const Arrival& arrival) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Task& task : tasks_of(arrival.site)) {
    Plan& plan = plans_[task.plan];
    const bool passes = task.role == Role::pass || task.role == Role::pass_too;
    if (!passes || plan.is_over() || !plan.is_met_by(arrival)) continue;
    if (plan.has_two_passes) {
      if (plan.passing != arrival.thread) plan.done = 0;
      plan.passing = arrival.thread;
      plan.done |= task.role == Role::pass ? 1 : 2;
      if (plan.done != 3) continue;
    }
    ++plan.count.meetings;
  }
  changed_.notify_all();
}

std::vector<MeetingCount> Meetings::counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<MeetingCount> counts;
  counts.reserve(plans_.size());
  for (const Plan& plan : plans_) counts.push_back(plan.count);
  return counts;
}

}  // namespace gilscope::races
