// WaitTable: who woke up whom.
#include <semaphore.h>

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "core/wait_table.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::WaitTable;

constexpr std::uint32_t kWaiter = 5;
constexpr std::uint32_t kEnder = 9;
constexpr std::uint32_t kLock = 77;

TEST("a waiter learns who posted, and who posts learns the waiter and its lock") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  WaitTable::Entry* entry = table->claim(&semaphore, kWaiter, kLock);
  const WaitTable::Woken woken = table->posting(&semaphore, kEnder, true);
  CHECK(woken.any);
  CHECK_EQUAL(woken.waiter, kWaiter);
  CHECK_EQUAL(woken.lock, kLock);
  CHECK_EQUAL(WaitTable::release(entry), kEnder);
}

TEST("a post that comes before its wait leaves its name") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  CHECK(!table->posting(&semaphore, kEnder, true).any);
  CHECK_EQUAL(WaitTable::release(table->claim(&semaphore, kWaiter, kLock)), kEnder);
}

TEST("a waiter that takes what a post has left is known to the next one who posts") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  table->posting(&semaphore, kEnder, true);
  WaitTable::Entry* entry = table->claim(&semaphore, kWaiter, kLock);
  const WaitTable::Woken woken = table->posting(&semaphore, kEnder + 1, true);
  CHECK_EQUAL(woken.waiter, kWaiter);
  CHECK_EQUAL(woken.lock, kLock);
  CHECK_EQUAL(WaitTable::release(entry), kEnder + 1);
}

TEST("a post on a lock for which nobody waits leaves nothing") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  CHECK(!table->posting(&semaphore, kEnder, false).any);
  CHECK_EQUAL(WaitTable::release(table->claim(&semaphore, kWaiter, kLock)), 0u);
}

TEST("of several waiters on one lock none is named as the one that was woken") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  table->claim(&semaphore, kWaiter, kLock);
  table->claim(&semaphore, kWaiter + 1, kLock);
  const WaitTable::Woken woken = table->posting(&semaphore, kEnder, false);
  CHECK(woken.any);
  CHECK_EQUAL(woken.waiter, 0u);
  CHECK_EQUAL(woken.lock, kLock);
}

TEST("a waiter that finds no free entry gets none, and one that was given back serves again") {
  const auto table = std::make_unique<WaitTable>();
  const int semaphore = 0;
  std::set<WaitTable::Entry*> entries;
  WaitTable::Entry* last = nullptr;
  while (WaitTable::Entry* entry = table->claim(&semaphore, kWaiter, kLock)) {
    CHECK(entries.insert(entry).second);
    last = entry;
  }
  WaitTable::release(last);
  CHECK(table->claim(&semaphore, kWaiter, kLock) == last);
}

TEST("waiters that are woken at once all learn the right name") {
  const auto table = std::make_unique<WaitTable>();
  constexpr std::uint32_t kPairs = 4;
  constexpr int kRounds = 500;
  sem_t ready[kPairs];
  sem_t parked[kPairs];
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t pair = 0; pair < kPairs; ++pair) {
    sem_init(&ready[pair], 0, 0);
    sem_init(&parked[pair], 0, 0);
    threads.emplace_back([&, pair] {
      for (int i = 0; i < kRounds; ++i) {
        WaitTable::Entry* entry = table->claim(&parked[pair], pair + 1, kLock);
        sem_post(&ready[pair]);
        sem_wait(&parked[pair]);
        if (WaitTable::release(entry) != pair + 101) ++wrong;
      }
    });
    threads.emplace_back([&, pair] {
      for (int i = 0; i < kRounds; ++i) {
        sem_wait(&ready[pair]);
        if (table->posting(&parked[pair], pair + 101, true).waiter != pair + 1) ++wrong;
        sem_post(&parked[pair]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(wrong.load(), 0);
}

TEST("a waiter on a condition learns who signalled it, of several threads none") {
  const auto table = std::make_unique<WaitTable>();
  int condition = 0;
  WaitTable::Entry* entry = table->claim(&condition, 1, kLock);
  CHECK_EQUAL(table->signalling(&condition, 101).waiter, 1u);
  CHECK_EQUAL(table->signalling(&condition, 101).waiter, 1u);
  CHECK_EQUAL(WaitTable::release(entry), 101u);
  entry = table->claim(&condition, 1, kLock);
  table->signalling(&condition, 101);
  table->signalling(&condition, 102);
  table->signalling(&condition, 102);
  CHECK_EQUAL(WaitTable::release(entry), 0u);
}

TEST("a signal to several waiters is for none by name, and one to nobody is none") {
  const auto table = std::make_unique<WaitTable>();
  int condition = 0;
  CHECK(!table->signalling(&condition, 101).any);
  WaitTable::Entry* first = table->claim(&condition, 1, kLock);
  WaitTable::Entry* second = table->claim(&condition, 2, kLock);
  const WaitTable::Woken woken = table->signalling(&condition, 101);
  CHECK(woken.any);
  CHECK_EQUAL(woken.waiter, 0u);
  CHECK_EQUAL(woken.lock, kLock);
  CHECK_EQUAL(WaitTable::release(first), 101u);
  CHECK_EQUAL(WaitTable::release(second), 101u);
}

}  // namespace
