// The unwinder against the compiler's own, and what is remembered of a walk.
#include <cxxabi.h>
#include <unwind.h>

#include <vector>

#include "core/native_stack.hpp"
#include "core/symbols.hpp"
#include "harness.hpp"

namespace {

using gilscope::ElfImage;
using gilscope::Trail;
namespace native_stack = gilscope::native_stack;

struct Captured {
  const void* ours[native_stack::kMaxFrames] = {};
  std::size_t count = 0;
  std::vector<const void*> theirs;
  Trail trail{};
  bool same_again = false;
};

// As a hook: called by the code whose stack is wanted.
__attribute__((noinline)) void hook(Captured& captured) {
  const void* frame = __builtin_frame_address(0);
  captured.count =
      native_stack::capture(frame, captured.ours, native_stack::kMaxFrames, &captured.trail);
  captured.trail.session = 1;
  captured.trail.frame = reinterpret_cast<std::uintptr_t>(frame);
  captured.same_again = native_stack::is_same_walk(captured.trail, 1, frame);
  _Unwind_Backtrace(
      [](_Unwind_Context* context, void* data) {
        static_cast<std::vector<const void*>*>(data)->push_back(
            reinterpret_cast<const void*>(_Unwind_GetIP(context)));
        return _URC_NO_REASON;
      },
      &captured.theirs);
  asm volatile("" ::: "memory");
}

// A frame of a size that is known at run time only, so that it is found by the frame pointer.
__attribute__((noinline)) void of_any_size(Captured& captured, int depth) {
  auto* memory =
      static_cast<volatile char*>(__builtin_alloca(static_cast<std::size_t>(depth) * 48));
  memory[0] = 1;
  if (depth > 1) {
    of_any_size(captured, depth - 1);
  } else {
    hook(captured);
  }
  memory[1] = 2;
}

// A frame that realigns the stack.
__attribute__((noinline)) void aligned(Captured& captured) {
  alignas(128) volatile char memory[128];
  memory[0] = 1;
  of_any_size(captured, 4);
  memory[1] = memory[0];
}

void ready() {
  native_stack::initialize(ElfImage(), {});
  native_stack::publish(native_stack::make_table(gilscope::LoadedObjects::look(nullptr)));
}

}  // namespace

#if defined(__x86_64__)

TEST("a walk finds the frames that the compiler's own unwinder finds") {
  ready();
  Captured captured;
  aligned(captured);
  // The core is linked into this program, so that all of it counts as the probe and no frame is
  // foreign: what is compared is the trail, which has all return addresses.
  std::vector<const void*> walked;
  for (std::uint32_t i = 0; i < captured.trail.count; ++i) {
    const auto* value = reinterpret_cast<const void*>(captured.trail.words[i].value);
    if (ElfImage::containing(value).path() ==
        ElfImage::containing(reinterpret_cast<const void*>(&ready)).path()) {
      walked.push_back(value);
    }
  }
  std::size_t found = 0;
  for (const void* address : captured.theirs) {
    if (found < walked.size() && walked[found] == address) ++found;
  }
  CHECK(walked.size() >= 6);
  CHECK(found == walked.size());
}

TEST("a walk that is made again from the same place is known") {
  ready();
  Captured captured;
  aligned(captured);
  CHECK(captured.trail.count != 0);
  CHECK(captured.same_again);
}

TEST("a walk from elsewhere is not taken for a known one") {
  ready();
  Captured one;
  Captured two;
  of_any_size(one, 3);
  const Trail trail = one.trail;
  of_any_size(two, 3);
  // The same depth, called from another place: only the outermost return address differs.
  bool differs = trail.count != two.trail.count;
  for (std::uint32_t i = 0; !differs && i < trail.count; ++i) {
    differs = trail.words[i].value != two.trail.words[i].value;
  }
  CHECK(trail.frame == two.trail.frame);
  CHECK(differs);
}

#endif

TEST("names of C++ are demangled, names of C are left") {
  CHECK(gilscope::symbols::demangle("_ZNSt6thread4joinEv") == "std::thread::join()");
  CHECK(gilscope::symbols::demangle("PyInit_module") == "PyInit_module");
  CHECK(gilscope::symbols::demangle("_Zz") == "_Zz");
}
