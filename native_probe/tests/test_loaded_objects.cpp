// LoadedObjects, and what the kernel tells of their pages.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "core/loaded_objects.hpp"
#include "core/page_protections.hpp"
#include "tests/harness.hpp"
#include "tests/objects.hpp"

namespace {

using gilscope::LoadedObjects;
using gilscope::PageProtections;
using gilscope::testing::is_loaded;
using gilscope::testing::Object;

bool knows(const LoadedObjects& objects, const std::string& path) {
  return std::any_of(objects.all().begin(), objects.all().end(),
                     [&path](const auto& object) { return object->image.path() == path; });
}

TEST("an object that its program gives up stays loaded while it is known") {
  const char* path = GILSCOPE_PATCHED_RELRO;
  Object object(path);
  auto known = LoadedObjects::look(nullptr);
  object.close();
  CHECK(is_loaded(path));
  known = LoadedObjects::look(known.get());
  CHECK(is_loaded(path));
  known.reset();
  CHECK(!is_loaded(path));
}

TEST("a look is current until an object is loaded") {
  const auto before = LoadedObjects::look(nullptr);
  CHECK(before->is_current());
  Object object(GILSCOPE_PATCHED_LAZY);
  CHECK(!before->is_current());
  const auto after = LoadedObjects::look(before.get());
  CHECK(after->is_current());
  CHECK(!knows(*before, GILSCOPE_PATCHED_LAZY));
  CHECK(knows(*after, GILSCOPE_PATCHED_LAZY));
}

TEST("the protection of a page is that of its mapping") {
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, 3 * size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  mprotect(static_cast<char*>(memory) + size, size, PROT_READ | PROT_WRITE);
  munmap(static_cast<char*>(memory) + 2 * size, size);
  const PageProtections pages;
  CHECK_EQUAL(pages.at(begin), PROT_READ);
  CHECK_EQUAL(pages.at(begin + size), PROT_READ | PROT_WRITE);
  CHECK_EQUAL(pages.at(begin + size + 8), PROT_READ | PROT_WRITE);
  CHECK_EQUAL(pages.at(begin + 2 * size), -1);
  CHECK_EQUAL(pages.at(0), -1);
  munmap(memory, 2 * size);
}

TEST("the protections of many mappings are all read") {
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  constexpr std::size_t kPages = 4000;
  char* memory = static_cast<char*>(
      mmap(nullptr, kPages * size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (std::size_t i = 0; i < kPages; i += 2) mprotect(memory + i * size, size, PROT_NONE);
  const PageProtections pages;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kPages; ++i) {
    const int expected = i % 2 == 0 ? PROT_NONE : PROT_READ;
    wrong += pages.at(reinterpret_cast<std::uintptr_t>(memory + i * size)) == expected ? 0 : 1;
  }
  CHECK_EQUAL(wrong, 0u);
  munmap(memory, kPages * size);
}

}  // namespace
