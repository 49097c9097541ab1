// ElfImage: the objects of a process, their slots and functions.
#include <algorithm>
#include <memory>

#include "core/elf_image.hpp"
#include "tests/harness.hpp"
#include "tests/objects.hpp"

namespace {

using gilscope::CodeRange;
using gilscope::ElfImage;
using gilscope::Slot;
using gilscope::testing::is_loaded;
using gilscope::testing::Linkage;
using gilscope::testing::linkages;
using gilscope::testing::Object;

std::ptrdiff_t slots_of(const ElfImage& image, const char* symbol, bool variables) {
  const std::vector<Slot> slots = image.slots();
  return std::count_if(slots.begin(), slots.end(), [=](const Slot& slot) {
    return slot.symbol == symbol && slot.is_variable == variables;
  });
}

TEST("the image that contains a function is the object that it is in") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    CHECK_EQUAL(object.image().path(), linkage.path);
  }
}

TEST("the executable is an image with a path") {
  const ElfImage image = ElfImage::containing(reinterpret_cast<const void*>(&slots_of));
  CHECK(image.path().find("core_tests") != std::string::npos);
  CHECK_EQUAL(ElfImage::all().front().path(), image.path());
}

TEST("an address in no object has an image without slots") {
  const int local = 0;
  CHECK(ElfImage::containing(&local).slots().empty());
}

TEST("the slot of a function is found however the object was linked") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    CHECK_EQUAL(slots_of(object.image(), "getppid", false), 1);
  }
}

TEST("variables that hold a function's address are slots, and are told apart") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    CHECK_EQUAL(slots_of(object.image(), "getppid", true), 2);
  }
}

TEST("the extent of a function holds its code and not another function's") {
  for (const Linkage& linkage : linkages()) {
    const Object object(linkage.path);
    const CodeRange range = object.image().function("call_direct");
    CHECK(range.known());
    CHECK_EQUAL(reinterpret_cast<void*>(range.begin), object.symbol("call_direct"));
    CHECK(!range.contains(object.symbol("call_table")));
  }
}

TEST("a function that an object only refers to has no extent there") {
  const Object object(linkages().front().path);
  CHECK(!object.image().function("getppid").known());
  CHECK(!object.image().function("no_such_function").known());
}

TEST("a pinned object stays loaded until the pin is taken out") {
  const char* path = linkages().front().path;
  Object object(path);
  std::shared_ptr<void> pin = object.image().pin();
  CHECK(pin != nullptr);
  object.close();
  CHECK(is_loaded(path));
  pin.reset();
  CHECK(!is_loaded(path));
}

TEST("an object that is gone cannot be pinned") {
  Object object(linkages().front().path);
  const ElfImage image = object.image();
  object.close();
  CHECK(image.pin() == nullptr);
}

}  // namespace
