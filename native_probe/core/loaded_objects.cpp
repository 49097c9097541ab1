#include "core/loaded_objects.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/image_identity.hpp"
#include "core/loader_call.hpp"

namespace gilscope {
namespace {

std::string build_id_of(const ElfImage& image) {
  for (const CodeRange& notes : image.notes()) {
    const dl_phdr_info at_zero{};
    ElfW(Phdr) header{};
    header.p_vaddr = notes.begin;
    header.p_memsz = notes.end - notes.begin;
    std::string found = read_build_id(at_zero, header);
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

std::shared_ptr<const LoadedObjects> LoadedObjects::look(const LoadedObjects* before) {
  auto found = std::make_shared<LoadedObjects>();
  // Before the objects: what comes in between is then looked for once more.
  found->counts_ = counts_now();
  std::unordered_map<std::uintptr_t, std::shared_ptr<const Object>> known;
  if (before != nullptr) {
    for (const auto& object : before->all_) known.emplace(object->image.base(), object);
  }
  for (ElfImage& image : ElfImage::all()) {
    const auto old = known.find(image.base());
    if (old != known.end() && old->second->image.is_same(image)) {
      found->all_.push_back(old->second);
      continue;
    }
    std::shared_ptr<void> pin;
    // One that is gone meanwhile must not be looked into.
    if (!image.is_never_unloaded()) {
      pin = image.pin();
      if (pin == nullptr) continue;
    }
    std::string build_id = build_id_of(image);
    found->all_.push_back(std::make_shared<const Object>(
        Object{std::move(image), std::move(pin), std::move(build_id)}));
  }
  return found;
}

LoadedObjects::Counts LoadedObjects::counts_now() {
  Counts counts{};
  const LoaderCall call;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        *static_cast<Counts*>(data) = {info->dlpi_adds, info->dlpi_subs};
        return 1;
      },
      &counts);
  return counts;
}

bool LoadedObjects::has_at(std::uintptr_t base) const {
  return std::any_of(all_.begin(), all_.end(),
                     [base](const auto& known) { return known->image.base() == base; });
}

bool LoadedObjects::has_handle(void* handle) const {
  const link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0 && has_at(map->l_addr);
}

bool LoadedObjects::has(const Object& object) const {
  return std::any_of(all_.begin(), all_.end(), [&object](const auto& known) {
    return known.get() == &object || known->image.is_same(object.image);
  });
}

}  // namespace gilscope
