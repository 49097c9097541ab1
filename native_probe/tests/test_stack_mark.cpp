// StackMark: seen from its own page of the stack and from another one, and gone with its function.
#include <array>
#include <cstdint>

#include "core/stack_mark.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::StackMark;

constexpr std::size_t kPages = 16384;  // bytes

[[maybe_unused, gnu::noinline]] std::uintptr_t left() {
  const StackMark mark;
  CHECK(!StackMark::is_gone(mark.address()));
  return mark.address();
}

// Another function whose frame has all that stood there before.
[[maybe_unused, gnu::noinline]] void writes_over() {
  std::array<volatile char, kPages> some;
  for (volatile char& byte : some) byte = 1;
}

[[gnu::noinline]] bool is_gone_from_afar(std::uintptr_t mark) {
  std::array<volatile char, kPages> some;
  some[0] = some[kPages - 1] = 0;
  return StackMark::is_gone(mark) || some[0] != 0;
}

TEST("a mark is seen from the page of the stack that it is in, and from another one") {
  const StackMark mark;
  CHECK(!StackMark::is_gone(mark.address()));
  CHECK(!is_gone_from_afar(mark.address()));
}

#if !defined(__SANITIZE_ADDRESS__)  // which keeps frames that were left apart from later ones
TEST("a mark is gone when its function was left and its place was used again") {
  const std::uintptr_t mark = left();
  writes_over();
  CHECK(StackMark::is_gone(mark));
  CHECK(is_gone_from_afar(mark));
}
#endif

TEST("a mark in memory that is not there is gone, and the one that stands for ever is not") {
  CHECK(StackMark::is_gone(sizeof(std::uintptr_t)));
  CHECK(!StackMark::is_gone(StackMark::kForEver));
}

}  // namespace
