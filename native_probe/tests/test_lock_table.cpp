// LockTable: numbers of locks.
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "core/lock_table.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::LockTable;

constexpr std::uintptr_t kAddress = 0x7f0000001000;

TEST("a lock keeps its number, and is new once") {
  LockTable table;
  const LockTable::Found first = table.find(kAddress, 1, 0);
  const LockTable::Found again = table.find(kAddress, 1, 0);
  CHECK(first.is_new && !again.is_new);
  CHECK(first.id != 0);
  CHECK_EQUAL(first.id, again.id);
}

TEST("locks of another kind or type at the same address are other locks") {
  LockTable table;
  const std::set<std::uint32_t> ids{table.find(kAddress, 1, 0).id, table.find(kAddress, 2, 0).id,
                                    table.find(kAddress, 2, 0x1000).id,
                                    table.find(kAddress, 2, 0x2000).id};
  CHECK_EQUAL(ids.size(), 4u);
}

TEST("threads that meet a lock at once get one number, and one of them is told that it is new") {
  constexpr std::size_t kLocks = 20'000;
  constexpr std::size_t kThreads = 4;
  LockTable table;
  std::vector<std::vector<LockTable::Found>> found(kThreads);
  std::vector<std::thread> threads;
  std::atomic<std::size_t> ready{0};
  for (auto& mine : found) {
    threads.emplace_back([&table, &mine, &ready] {
      ++ready;
      while (ready != kThreads) std::this_thread::yield();
      for (std::size_t i = 0; i < kLocks; ++i) {
        mine.push_back(table.find(kAddress + 16 * i, 2, 0x1000));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint32_t> ids;
  for (std::size_t i = 0; i < kLocks; ++i) {
    int news = 0;
    for (const auto& mine : found) {
      CHECK_EQUAL(mine[i].id, found[0][i].id);
      news += mine[i].is_new ? 1 : 0;
    }
    CHECK_EQUAL(news, 1);
    ids.insert(found[0][i].id);
  }
  CHECK_EQUAL(ids.size(), kLocks);
}

TEST("a table that is full gives no number to a new lock, and the old ones keep theirs") {
  LockTable table;
  const std::uint32_t first = table.find(kAddress, 1, 0).id;
  std::uint32_t refused = 0;
  for (std::size_t i = 1; i <= 2 * LockTable::kCapacity; ++i) {
    refused += table.find(kAddress + 16 * i, 1, 0).id == 0 ? 1 : 0;
  }
  CHECK(refused >= LockTable::kCapacity);
  CHECK_EQUAL(table.find(kAddress, 1, 0).id, first);
}

TEST("a number that was given back is new again for the next one who asks") {
  LockTable table;
  const LockTable::Found first = table.find(kAddress, 1, 0);
  table.forget(first.id);
  CHECK(table.find(kAddress, 1, 0).is_new);
  CHECK_EQUAL(table.find(kAddress, 1, 0).id, first.id);
  CHECK(!table.find(kAddress, 1, 0).is_new);
}

}  // namespace
