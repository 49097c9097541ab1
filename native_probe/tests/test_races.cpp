// The race detector's core: clocks, locks, shadow memory and what it finds out of order.
#include <memory>
#include <thread>
#include <vector>

#include "core/races/detector.hpp"
#include "core/races/meetings.hpp"
#include "tests/harness.hpp"

namespace {

using namespace gilscope::races;

// Threads of a program that run when a test says so.
class Stage {
 public:
  explicit Stage(const Options& options = {}) : detector(options) {
    main = keep(detector.threads().start({}, "main"));
  }
  Thread* start(Thread* parent) {
    return keep(detector.threads().start(Threads::fork(parent), "thread"));
  }
  void join(Thread* by, Thread* of) {
    by->order.join(of->order);
    detector.threads().end(*of);
  }
  void does(Thread* thread, Op op, std::uint32_t site, Key key = 1) {
    detector.access(*thread, object, key, op, site, 0);
  }
  void updates(Thread* thread, std::uint32_t site) {
    does(thread, Op::read, site);
    does(thread, Op::store, site + 1);
  }
  void locked_update(Thread* thread, std::uint32_t site, std::uint64_t lock = 7) {
    detector.synchronization().acquire(*thread, lock);
    updates(thread, site);
    detector.synchronization().release(*thread, lock);
  }
  std::vector<Candidate> found() { return detector.candidates().all(); }
  std::size_t found_of(Kind kind) {
    std::size_t count = 0;
    for (const Candidate& candidate : found()) count += candidate.kind == kind ? 1 : 0;
    return count;
  }

  Detector detector;
  Object object{1, 0, 0};
  Thread* main;

 private:
  Thread* keep(Thread* thread) {
    threads_.emplace_back(thread);
    return thread;
  }

  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace

TEST("races: an update by two threads without order is found when one runs after the other") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.updates(a, 10);
  stage.updates(b, 20);
  CHECK(stage.found_of(Kind::update) > 0);
  CHECK_EQUAL(stage.found()[0].witnessed, 0u);
}

TEST("races: a write between another thread's read and write is witnessed") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.does(a, Op::read, 10);
  stage.does(b, Op::store, 20);
  stage.does(a, Op::store, 11);
  std::uint64_t witnessed = 0;
  for (const Candidate& candidate : stage.found()) witnessed += candidate.witnessed;
  CHECK_EQUAL(witnessed, 1u);
}

TEST("races: updates under one lock are in order") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  for (int i = 0; i < 3; ++i) {
    stage.locked_update(a, 10);
    stage.locked_update(b, 20);
  }
  CHECK_EQUAL(stage.found().size(), 0u);
}

TEST("races: updates under two locks are not") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.locked_update(a, 10, 7);
  stage.locked_update(b, 20, 8);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: a lock that orders nothing still protects") {
  Stage stage;
  stage.detector.synchronization().weaken(7);
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.locked_update(a, 10);
  stage.locked_update(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
  stage.updates(b, 30);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: an update whose lock is given back in between is found, in order or not") {
  Stage stage;
  Synchronization& locks = stage.detector.synchronization();
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  for (Thread* thread : {a, b}) {
    locks.acquire(*thread, 7);
    stage.does(thread, Op::read, 10);
    locks.release(*thread, 7);
    locks.acquire(*thread, 7);
    stage.does(thread, Op::store, 11);
    locks.release(*thread, 7);
  }
  CHECK(stage.found_of(Kind::update) > 0);
  CHECK(stage.found()[0].is_split);
}

TEST("races: a start and a join order threads") {
  Stage stage;
  stage.updates(stage.main, 1);
  Thread* a = stage.start(stage.main);
  stage.updates(a, 10);
  stage.join(stage.main, a);
  stage.updates(stage.main, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
}

TEST("races: what is given and taken is in order") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.updates(a, 10);
  stage.detector.synchronization().give(*a, 5);
  stage.detector.synchronization().take(*b, 5);
  stage.updates(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
}

TEST("races: a lock that another thread releases is a signal") {
  Stage stage;
  Synchronization& locks = stage.detector.synchronization();
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  locks.acquire(*b, 9);
  stage.updates(a, 10);
  locks.release(*a, 9);
  locks.acquire(*b, 9);
  stage.updates(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
}

TEST("races: a change during an unordered iteration is found, and a second change is another one") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.does(a, Op::iterate, 10);
  stage.does(b, Op::add, 20);
  stage.does(a, Op::step, 11);
  CHECK(stage.found_of(Kind::iteration) >= 2);
}

TEST("races: an iterator that two threads advance is found") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.does(a, Op::advance, 10);
  stage.does(b, Op::advance, 20);
  CHECK_EQUAL(stage.found_of(Kind::advance), 1u);
}

TEST("races: two variables written together and read together are a pair") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.does(a, Op::store, 10, 1);
  stage.does(a, Op::store, 11, 2);
  stage.does(b, Op::read, 20, 1);
  stage.does(b, Op::read, 21, 2);
  CHECK_EQUAL(stage.found_of(Kind::pair), 1u);
}

TEST("races: what the maker of an object did before it gave it away is done") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  stage.object = {1, a->slot, a->clock};
  stage.updates(a, 10);
  stage.updates(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
  stage.updates(a, 30);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: 300 threads one after another use few slots, those at once have one each") {
  Stage stage;
  for (int i = 0; i < 300; ++i) {
    Thread* thread = stage.start(stage.main);
    stage.updates(thread, 10);
    stage.join(stage.main, thread);
  }
  CHECK(stage.main->order.full.size() < 4);
  std::vector<Thread*> all;
  for (int i = 0; i < 300; ++i) all.push_back(stage.start(stage.main));
  for (Thread* thread : all) stage.locked_update(thread, 10);
  CHECK_EQUAL(stage.found().size(), 0u);
  for (Thread* thread : all) stage.updates(thread, 20);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: memory is bounded, and what is given up is counted") {
  Options options;
  options.max_variables = 4096;
  Stage stage(options);
  for (std::uint32_t i = 1; i <= 100000; ++i) {
    stage.object = {i, 0, 0};
    stage.does(stage.main, Op::store, 1);
  }
  CHECK(stage.detector.shadow().variables() <= 4096 + 512);
  CHECK(stage.detector.shadow().given_up() > 90000);
}

TEST("races: an address that is used again is another object") {
  Objects objects;
  alignas(16) char places[64];
  objects.created(&places[0], 3, 5);
  const Object first = objects.find(&places[0]);
  CHECK_EQUAL(first.creator, 3);
  CHECK_EQUAL(first.created, 5u);
  CHECK_EQUAL(objects.find(&places[0]).id, first.id);
  objects.destroyed(&places[0]);
  CHECK(objects.is_dead(first.id));
  objects.created(&places[0], 4, 6);
  CHECK(objects.find(&places[0]).id != first.id);
}

TEST("races: many threads at once use the detector") {
  Options options;
  Stage stage(options);
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  std::vector<Thread*> known;
  for (int i = 0; i < kThreads; ++i) known.push_back(stage.start(stage.main));
  for (Thread* thread : known) {
    threads.emplace_back([&stage, thread] {
      for (std::uint32_t i = 0; i < 2000; ++i) {
        const Object object{1 + i % 50, 0, 0};
        stage.detector.access(*thread, object, i % 3, Op::read, 10, 0);
        stage.detector.access(*thread, object, i % 3, Op::store, 11, 0);
        stage.detector.synchronization().acquire(*thread, i % 5);
        stage.detector.synchronization().release(*thread, i % 5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(!stage.found().empty());
}

TEST("races: a check under the lock of another one's act is not accused of its later bare write") {
  Stage stage;
  Thread* one = stage.start(stage.main);
  Thread* other = stage.start(stage.main);
  stage.locked_update(one, 10);
  stage.does(one, Op::store, 20);
  stage.detector.synchronization().acquire(*other, 7);
  stage.does(other, Op::read, 10);
  CHECK(stage.found_of(Kind::update) == 0);
  stage.does(other, Op::store, 11);
  CHECK(stage.found_of(Kind::update) == 1);
  CHECK(stage.found()[0].other.access.site == 20);
}

namespace {

// A place of the first plan: 1 holds, 2 is passed, 3 is the second one to be passed.
Arrival at(std::uint32_t site, std::uint32_t thread, ObjectId object = 1, Key key = 1) {
  return {site, thread, object, key};
}

}  // namespace

TEST("races: a thread that is held goes on when another one has come by") {
  Meetings meetings(10000);
  meetings.place(1, meetings.add(false, 0), Role::hold);
  meetings.place(2, 0, Role::pass);
  std::thread held([&] { meetings.arrive(at(1, 1)); });
  meetings.arrive(at(2, 2));  // waits until the first one is held
  meetings.passed(at(2, 2));
  held.join();
  CHECK(meetings.counts()[0].holds == 1);
  CHECK(meetings.counts()[0].meetings == 1);
}

TEST("races: nobody is held for long, or for another variable, or again and again") {
  Meetings meetings(1);
  meetings.place(1, meetings.add(false, 0), Role::hold);
  meetings.place(2, 0, Role::pass);
  for (int i = 0; i < 30; ++i) {
    std::thread held([&] { meetings.arrive(at(1, 1)); });
    meetings.arrive(at(2, 2, 7));
    meetings.passed(at(2, 2, 7));
    meetings.arrive(at(2, 1));
    meetings.passed(at(2, 1));
    held.join();
  }
  CHECK(meetings.counts()[0].holds == Meetings::kMostHolds);
  CHECK(meetings.counts()[0].meetings == 0);
}

TEST("races: a thread is held before it takes the lock that the other one needs") {
  Meetings meetings(10000);
  meetings.place(4, meetings.add(false, 0), Role::hold_at_lock);
  meetings.place(1, 0, Role::first);
  meetings.place(2, 0, Role::pass);
  meetings.place(5, 0, Role::wait_at_lock);
  meetings.arrive_at_lock(4, 1);  // has not used the variable: goes on
  std::thread held([&] {
    meetings.arrive(at(1, 1));
    meetings.arrive_at_lock(4, 1);
  });
  meetings.arrive_at_lock(5, 2);  // waits until the first one is held
  meetings.arrive(at(2, 2));
  meetings.passed(at(2, 2));
  held.join();
  CHECK(meetings.counts()[0].holds == 1);
  CHECK(meetings.counts()[0].meetings == 1);
}

TEST("races: of a pair, one other thread passes both accesses while the first one is held") {
  Meetings meetings(10000);
  meetings.place(1, meetings.add(true, 0), Role::hold);
  meetings.place(2, 0, Role::pass);
  meetings.place(3, 0, Role::pass_too);
  std::thread held([&] { meetings.arrive(at(1, 1)); });
  meetings.arrive(at(2, 2, 1, 5));
  meetings.passed(at(2, 2, 1, 5));
  CHECK(meetings.counts()[0].meetings == 0);
  meetings.passed(at(3, 3, 1, 6));
  CHECK(meetings.counts()[0].meetings == 0);
  meetings.passed(at(2, 2, 1, 5));
  meetings.passed(at(3, 2, 1, 6));
  held.join();
  CHECK(meetings.counts()[0].meetings == 1);
}

TEST("races: who takes one thing knows of its giver, and not of those who gave others") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  Thread* c = stage.start(stage.main);
  Synchronization& all = stage.detector.synchronization();
  stage.updates(a, 10);
  all.give_item(*a, 5, 1);
  all.give_item(*b, 5, 2);
  all.take_item(*c, 5, 2);
  stage.updates(c, 30);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: what is handed over by a container of many is in order") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  Synchronization& all = stage.detector.synchronization();
  for (std::uint32_t i = 0; i < 10000; ++i) all.give_item(*a, 5, i);
  stage.updates(a, 10);
  all.give_item(*a, 5, 10000);
  all.take_item(*b, 5, 10000);
  stage.updates(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
}

TEST("races: an object that is put into a list is its taker's") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  const int item = 0;
  stage.updates(a, 10);
  stage.detector.handover().give(*a, 3, &item);
  stage.detector.handover().take(*b, 3, &item);
  stage.updates(b, 20);
  CHECK_EQUAL(stage.found().size(), 0u);
  a->advance();
  stage.updates(a, 10);
  stage.updates(b, 20);
  CHECK(stage.found_of(Kind::update) > 0);
}

TEST("races: a check in one critical section and an update in the next one are found") {
  Stage stage;
  Synchronization& all = stage.detector.synchronization();
  for (Thread* thread : {stage.start(stage.main), stage.start(stage.main)}) {
    all.acquire(*thread, 7);
    stage.does(thread, Op::read, 10);
    all.release(*thread, 7);
    stage.locked_update(thread, 20);
  }
  std::size_t checks = 0;
  for (const Candidate& candidate : stage.found()) {
    checks += candidate.is_split && candidate.first.access.site == 10 ? 1 : 0;
  }
  CHECK(checks > 0);
}

TEST("races: a lock that has ended is held no more") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  const long lock = 0;
  Objects& objects = stage.detector.objects();
  Synchronization& all = stage.detector.synchronization();
  all.acquire(*a, objects.find(&lock).id);
  objects.destroyed(&lock);
  all.let_go_dead(*a, objects);
  CHECK_EQUAL(a->held.size(), 0u);
  CHECK_EQUAL(all.lockset(*a), Locksets::kEmpty);
}

TEST("races: a lock by which one thread wakes another one is held by neither, a mutex again is") {
  Stage stage;
  Synchronization& all = stage.detector.synchronization();
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  all.acquire(*a, 9);
  CHECK(all.lockset(*a) != Locksets::kEmpty);
  all.release(*b, 9);
  CHECK_EQUAL(all.lockset(*a), Locksets::kEmpty);
  all.acquire(*a, 9);
  CHECK_EQUAL(all.lockset(*a), Locksets::kEmpty);
  all.release(*a, 9);
  all.acquire(*b, 9);
  CHECK(all.lockset(*b) != Locksets::kEmpty);
}

TEST("races: an access that is out of order with those of several threads counts once") {
  Stage stage;
  Thread* a = stage.start(stage.main);
  Thread* b = stage.start(stage.main);
  Thread* c = stage.start(stage.main);
  for (Thread* thread : {a, b, c}) stage.updates(thread, 10);
  for (int i = 0; i < 5; ++i) stage.updates(c, 10);
  for (const Candidate& candidate : stage.found()) CHECK(candidate.count <= 7u);
}

TEST("races: a pair that two threads write and a third one reads is torn") {
  Stage stage;
  Thread* one = stage.start(stage.main);
  Thread* two = stage.start(stage.main);
  Thread* reader = stage.start(stage.main);
  for (Thread* writer : {one, two}) {
    stage.detector.synchronization().acquire(*writer, 7);
    stage.does(writer, Op::store, 10, 1);
    stage.does(writer, Op::store, 11, 2);
    stage.detector.synchronization().release(*writer, 7);
  }
  stage.does(reader, Op::read, 20, 1);
  stage.does(reader, Op::read, 21, 2);
  CHECK(stage.found_of(Kind::pair) == 1);
}

TEST("races: times are known where a place has raced before") {
  Stage stage;
  Thread* one = stage.start(stage.main);
  Thread* two = stage.start(stage.main);
  stage.updates(one, 10);
  stage.updates(two, 20);
  const auto is_known = [](const Seen& seen) { return seen.access.time_ns != 0; };
  const std::vector<Candidate> first = stage.found();
  CHECK(!first.empty());
  for (const Candidate& candidate : first) {
    CHECK(is_known(candidate.other) || is_known(candidate.second));
    CHECK(!is_known(candidate.first) || candidate.first.thread == two->serial);
  }
  stage.updates(one, 10);
  stage.updates(two, 20);
  bool is_any_whole = false;
  for (const Candidate& candidate : stage.found()) {
    const bool is_whole =
        is_known(candidate.first) && is_known(candidate.second) && is_known(candidate.other);
    if (is_whole) {
      CHECK(candidate.first.access.time_ns <= candidate.second.access.time_ns);
    }
    is_any_whole = is_any_whole || is_whole;
  }
  CHECK(is_any_whole);
}

TEST("races: an update under a lock is no race, and nothing of it is timed") {
  Stage stage;
  Thread* one = stage.start(stage.main);
  Thread* two = stage.start(stage.main);
  stage.locked_update(one, 10);
  stage.locked_update(two, 10);
  CHECK(stage.found().empty());
}
