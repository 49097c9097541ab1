#include "hooks/static_locks.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/loaded_objects.hpp"
#include "core/loader_call.hpp"
#include "core/symbols.hpp"

namespace gilscope::hooks::static_locks {
namespace {

using Object = LoadedObjects::Object;

struct Lock {
  std::uint32_t id;
  std::uint64_t address;
};

// Locks that belong to no object of Python's.
std::vector<Lock> candidates(const Session& session) {
  std::vector<Lock> locks;
  std::unordered_set<std::uint32_t> named;
  session.file().for_each_definition([&](const format::Definition& definition) {
    if (const auto lock = definition.as<format::LockBody>()) {
      if (lock->address != 0 && lock->object == 0) locks.push_back({lock->id, lock->address});
    } else if (const auto name = definition.as<format::LockNameBody>()) {
      named.insert(name->lock);
    }
  });
  locks.erase(std::remove_if(locks.begin(), locks.end(),
                             [&](const Lock& lock) { return named.count(lock.id) != 0; }),
              locks.end());
  return locks;
}

void define(Session& session, const Lock& lock, std::string_view symbol, std::uint64_t offset) {
  std::string name = symbols::demangle(symbol);
  if (offset != 0) name += "+" + std::to_string(offset);
  const std::uint32_t text = session.string(name);
  if (text == 0) return;
  const format::LockNameBody body{lock.id, text,
                                  static_cast<std::uint16_t>(format::NameSource::symbol), 0, 0};
  session.file().define(body);
}

// By the symbols that the loader knows, which need no file.
bool name_exported(Session& session, const Lock& lock) {
  Dl_info info{};
  void* entry = nullptr;
  const auto* place = reinterpret_cast<const void*>(lock.address);
  const LoaderCall call;
  if (dladdr1(place, &info, &entry, RTLD_DL_SYMENT) == 0 || info.dli_sname == nullptr) return false;
  const auto* symbol = static_cast<const ElfW(Sym)*>(entry);
  if (symbol == nullptr || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) return false;
  const auto begin = reinterpret_cast<std::uint64_t>(info.dli_saddr);
  define(session, lock, info.dli_sname, lock.address - begin);
  return true;
}

void name_in(Session& session, const Object& object, std::vector<Lock>& locks) {
  auto is_here = [&](const Lock& lock) {
    return object.image.contains(reinterpret_cast<const void*>(lock.address));
  };
  if (std::none_of(locks.begin(), locks.end(), is_here)) return;
  const symbols::ObjectFile file(object.image.path(), object.build_id);
  file.for_each_variable([&](const symbols::Extent& variable) {
    for (Lock& lock : locks) {
      const std::uint64_t place = lock.address - object.image.base();
      if (lock.id == 0 || place < variable.begin || place >= variable.end) continue;
      define(session, lock, variable.name, place - variable.begin);
      lock.id = 0;  // has its name
    }
  });
}

}  // namespace

void name(Session& session) {
  std::vector<Lock> locks = candidates(session);
  locks.erase(std::remove_if(locks.begin(), locks.end(),
                             [&](const Lock& lock) { return name_exported(session, lock); }),
              locks.end());
  if (locks.empty()) return;
  const auto objects = LoadedObjects::look(nullptr);
  for (const auto& object : objects->all()) name_in(session, *object, locks);
}

}  // namespace gilscope::hooks::static_locks
