// GotPatcher: what a patch does, and that nothing of it is left.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/got_patcher.hpp"
#include "tests/harness.hpp"
#include "tests/objects.hpp"

namespace {

using gilscope::GotPatcher;
using gilscope::Hook;
using gilscope::HookTable;
using gilscope::PageProtections;
using gilscope::testing::Linkage;
using gilscope::testing::linkages;
using gilscope::testing::Object;

constexpr int kReplaced = -42;

int replacement() { return kReplaced; }
int somebody_elses() { return -43; }

const std::vector<Hook>& hooks() {
  static const std::vector<Hook> all{{"getppid", reinterpret_cast<void*>(replacement)},
                                     {"gilscope_absent", reinterpret_cast<void*>(replacement)}};
  return all;
}

std::size_t patch(GotPatcher& patcher, const Object& object,
                  const std::vector<Hook>& with = hooks()) {
  HookTable table(with);
  std::list<GotPatcher::Plan> plans{GotPatcher::plan(object.image(), table)};
  return patcher.patch(plans, PageProtections());
}

std::size_t restore(GotPatcher& patcher) {
  const std::size_t left = patcher.restore(PageProtections());
  patcher.forget();
  return left;
}

void** slot_of_direct_call(const GotPatcher& patcher, const Object& object) {
  for (const auto& slot : object.image().slots()) {
    if (slot.symbol == "getppid" && !slot.is_variable) return slot.address;
  }
  CHECK(!patcher.is_empty());
  return nullptr;
}

TEST("calls through a patched slot arrive at the replacement") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    CHECK_EQUAL(patch(patcher, object), 3u);
    CHECK_EQUAL(patcher.failed(), 0u);
    CHECK_EQUAL(object.call("call_direct"), kReplaced);
    CHECK_EQUAL(object.call("call_table"), kReplaced);
    restore(patcher);
  }
}

TEST("calls through a restored slot arrive at the function, whether it was bound before or not") {
  for (const Linkage& linkage : linkages()) {
    for (const bool bound : {false, true}) {
      const Object object(linkage.path);
      if (bound) CHECK_EQUAL(object.call("call_direct"), getppid());
      GotPatcher patcher;
      patch(patcher, object);
      CHECK_EQUAL(restore(patcher), 0u);
      CHECK_EQUAL(object.call("call_direct"), getppid());
      CHECK_EQUAL(object.call("call_table"), getppid());
    }
  }
}

TEST("a restored object is the same, byte for byte") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    const std::string before = object.memory();
    GotPatcher patcher;
    patch(patcher, object);
    CHECK(object.memory() != before);
    CHECK_EQUAL(object.call("call_direct"), kReplaced);
    restore(patcher);
    CHECK(object.memory() == before);
  }
}

TEST("the protection of every page is the same while an object is patched and after it") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    const auto before = object.maps();
    GotPatcher patcher;
    patch(patcher, object);
    CHECK(object.maps() == before);
    restore(patcher);
    CHECK(object.maps() == before);
  }
}

TEST("a patch that is made twice is made once") {
  const Object object(linkages().front().path);
  GotPatcher patcher;
  patch(patcher, object);
  CHECK_EQUAL(patch(patcher, object), 0u);
  restore(patcher);
  CHECK_EQUAL(object.call("call_direct"), getppid());
}

TEST("a slot that the lazy binder wrote over is patched again by a verification") {
  const Object object(GILSCOPE_PATCHED_LAZY);
  GotPatcher patcher;
  patch(patcher, object);
  *slot_of_direct_call(patcher, object) = reinterpret_cast<void*>(getppid);
  CHECK_EQUAL(patcher.verify(PageProtections()), 1u);
  CHECK_EQUAL(object.call("call_direct"), kReplaced);
  CHECK_EQUAL(patcher.verify(PageProtections()), 0u);
  restore(patcher);
}

TEST("a slot that somebody else has patched since is left to them") {
  const Object object(GILSCOPE_PATCHED_LAZY);
  GotPatcher patcher;
  patch(patcher, object);
  *slot_of_direct_call(patcher, object) = reinterpret_cast<void*>(somebody_elses);
  restore(patcher);
  CHECK_EQUAL(object.call("call_direct"), -43);
}

TEST("a variable to which the program has given another function is not touched") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    object.call("choose");
    GotPatcher patcher;
    CHECK_EQUAL(patch(patcher, object), 2u);
    CHECK_EQUAL(object.call("call_chosen"), -7);
    restore(patcher);
  }
}

TEST("a variable to which the program gives another function later keeps it") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    patch(patcher, object);
    CHECK_EQUAL(object.call("call_chosen"), kReplaced);
    object.call("choose");
    CHECK_EQUAL(patcher.verify(PageProtections()), 0u);
    CHECK_EQUAL(object.call("call_chosen"), -7);
    CHECK_EQUAL(restore(patcher), 0u);
    CHECK_EQUAL(object.call("call_chosen"), -7);
  }
}

TEST("a program that asks whether a function exists gets the same answer") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    patch(patcher, object);
    CHECK_EQUAL(object.call("has_absent"), 0);
    restore(patcher);
  }
}

TEST("what was patched and restored can be patched again without a plan") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    patch(patcher, object);
    CHECK_EQUAL(patcher.restore(PageProtections()), 0u);
    CHECK_EQUAL(object.call("call_direct"), getppid());  // which may bind it
    patcher.repatch(PageProtections());
    CHECK_EQUAL(object.call("call_direct"), kReplaced);
    CHECK_EQUAL(object.call("call_table"), kReplaced);
    CHECK_EQUAL(restore(patcher), 0u);
    CHECK_EQUAL(object.call("call_direct"), getppid());
    CHECK_EQUAL(object.call("call_table"), getppid());
  }
}

TEST("a page that is restored as remembered is as it was before") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    patch(patcher, object);
    const auto page = reinterpret_cast<std::uintptr_t>(slot_of_direct_call(patcher, object));
    const int protection = PageProtections().at(page);
    CHECK(patcher.restore_as_remembered());
    CHECK_EQUAL(object.call("call_direct"), getppid());
    CHECK_EQUAL(object.call("call_table"), getppid());
    CHECK(patcher.repatch_as_remembered());
    CHECK_EQUAL(object.call("call_direct"), kReplaced);
    CHECK(patcher.restore_as_remembered());
    CHECK_EQUAL(PageProtections().at(page), protection);
    patcher.forget();
  }
}

TEST("a page that the program has made writable since stays so when it is restored as remembered") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    GotPatcher patcher;
    patch(patcher, object);
    const auto size = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto slot = reinterpret_cast<std::uintptr_t>(slot_of_direct_call(patcher, object));
    if (slot != 0) {
      auto* page = reinterpret_cast<void*>(slot & ~(size - 1));
      CHECK_EQUAL(mprotect(page, size, PROT_READ | PROT_WRITE), 0);
    }
    CHECK(patcher.restore_as_remembered());
    CHECK_EQUAL(object.call("call_direct"), getppid());
    if (slot != 0) CHECK_EQUAL(PageProtections().at(slot), PROT_READ | PROT_WRITE);
    patcher.forget();
  }
}

TEST("threads that call while slots are patched and restored get one function or the other") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    const int original = getppid();
    std::thread caller([&] {
      while (!stop) {
        const int result = object.call("call_direct");
        if (result != original && result != kReplaced) ++wrong;
      }
    });
    for (int i = 0; i < 100; ++i) {
      GotPatcher patcher;
      patch(patcher, object);
      restore(patcher);
    }
    stop = true;
    caller.join();
    CHECK_EQUAL(wrong.load(), 0);
  }
}

TEST("a slot that is bound to another function than the hook's is left alone") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    object.call("call_direct");  // which binds it
    GotPatcher patcher;
    const std::vector<Hook> others{
        {"getppid", reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(somebody_elses)}};
    CHECK_EQUAL(patch(patcher, object, others), 0u);
    CHECK_EQUAL(object.call("call_direct"), getppid());
    restore(patcher);
    const std::vector<Hook> same{
        {"getppid", reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(getppid)}};
    patch(patcher, object, same);
    CHECK_EQUAL(object.call("call_direct"), kReplaced);
    restore(patcher);
  }
}

}  // namespace
