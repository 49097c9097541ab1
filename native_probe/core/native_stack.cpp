#include "core/native_stack.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "core/loader_call.hpp"
#include "core/unwind.hpp"

// Unwinding must cost next to nothing, since it is done at every callback. A walk goes from frame
// to frame by a rule for each return address ("CFA is the stack pointer plus 64, the caller's frame
// pointer stands at CFA - 16"), taken from the object's .eh_frame once and remembered.
//
// Why this is sound: a rule is a property of the code at a return address and of nothing else, and
// code stays where it is as long as its object is loaded. Objects of the table are kept loaded
// while a session runs, and whenever the table is built anew between sessions all rules are
// forgotten. Every walk reads the stack itself; no stack, or part of one, is ever taken for another
// because it looks alike. Where there is no rule (code without tables, a signal's frame, a CFA in
// another register), the walk ends.
//
// Why it takes no lock: the table of objects is immutable and replaced as a whole, and the loader
// is never asked.
namespace gilscope::native_stack {
namespace {

enum class Kind : std::uint8_t { unknown, host, boundary, runtime, probe, other };

using Loaded = LoadedObjects::Object;

struct Segment {
  std::uintptr_t begin;
  std::uintptr_t end;
  const Loaded* object;
  Kind kind;
  unwind::Tables tables;  // of the object
};

}  // namespace

struct Table {
  std::vector<Segment> segments;  // executable ones, by address
  std::shared_ptr<const LoadedObjects> objects;
  // The one that this one has replaced, in which a hook may still be looking.
  std::shared_ptr<Table> replaced;
};

namespace {

// For hooks, which may be in there until release().
std::atomic<const Table*> table{nullptr};

// Of the one above and those before it. Whoever publishes sees to it that there is one at a time.
// (Made when the probe is loaded: a function's own would keep a forked child waiting for ever.)
std::shared_ptr<Table>& owned = *new std::shared_ptr<Table>;

std::uintptr_t main_stack_end = 0;  // 0 unknown
// The image that runs the program, which is never unloaded.
struct Host {
  ElfImage image;
  unwind::Tables tables;
};
const Host* host = nullptr;
std::vector<CodeRange>& boundaries = *new std::vector<CodeRange>;

// The facts about a return address.
struct Step {
  unwind::Rule rule;
  Kind kind = Kind::unknown;
};

// Return address → step, filled as they come and forgotten all at once.
class Steps {
 public:
  void initialize() {
    if (entries_ != nullptr) return;
    void* memory = mmap(nullptr, sizeof(Entry) * kCapacity, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) entries_ = static_cast<Entry*>(memory);
  }

  void clear() {
    if (entries_ != nullptr) madvise(entries_, sizeof(Entry) * kCapacity, MADV_DONTNEED);
  }

  template <typename Find>
  Step get(std::uintptr_t pc, Find find) {
    if (entries_ == nullptr) return {};
    std::size_t place = (pc * 0x9E3779B97F4A7C15u) >> (64 - kBits);
    for (int i = 0; i < kProbes; ++i, place = (place + 1) & (kCapacity - 1)) {
      Entry& entry = entries_[place];
      std::uintptr_t seen = entry.pc.load(std::memory_order_relaxed);
      if (__builtin_expect(seen == pc, 1)) {
        const std::uint64_t value = entry.value.load(std::memory_order_acquire);
        // Zero: another thread is about to write it.
        return __builtin_expect(value != 0, 1) ? unpack(value) : find(pc);
      }
      if (seen != 0) continue;
      const Step step = find(pc);
      // An object that is not in the table may be there next time.
      if (step.kind == Kind::unknown) return step;
      if (entry.pc.compare_exchange_strong(seen, pc, std::memory_order_relaxed) || seen == pc) {
        entry.value.store(pack(step), std::memory_order_release);
        return step;
      }
    }
    return find(pc);
  }

 private:
  struct Entry {
    std::atomic<std::uintptr_t> pc;
    std::atomic<std::uint64_t> value;
  };

  // CFA offset 32 bits, offset of the saved frame pointer 16, kind 8, saved 4, base 4; the kind is
  // never 0.
  static std::uint64_t pack(const Step& step) {
    return std::uint64_t{static_cast<std::uint32_t>(step.rule.cfa_offset)} << 32 |
           std::uint64_t{static_cast<std::uint16_t>(step.rule.saved_offset)} << 16 |
           std::uint64_t{static_cast<std::uint8_t>(step.kind)} << 8 |
           std::uint64_t{static_cast<std::uint8_t>(step.rule.saved)} << 4 |
           std::uint64_t{static_cast<std::uint8_t>(step.rule.base)};
  }

  static Step unpack(std::uint64_t value) {
    Step step;
    step.rule.cfa_offset = static_cast<std::int32_t>(value >> 32);
    step.rule.saved_offset = static_cast<std::int16_t>(value >> 16);
    step.kind = static_cast<Kind>(value >> 8 & 0xFF);
    step.rule.saved = static_cast<unwind::Rule::Saved>(value >> 4 & 0xF);
    step.rule.base = static_cast<unwind::Rule::Base>(value & 0xF);
    return step;
  }

  static constexpr int kBits = 16;
  static constexpr std::size_t kCapacity = std::size_t{1} << kBits;
  static constexpr int kProbes = 8;
  Entry* entries_ = nullptr;
};

Steps steps;

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Libraries that any program has and whose frames have no meaning for it.
bool is_runtime(std::string_view path) {
  static constexpr std::string_view kPrefixes[] = {
      "libc.so",   "libc-",    "libpthread", "ld-linux", "ld-2.",      "libdl.so",
      "libdl-",    "librt.so", "librt-",     "libm.so",  "libm-",      "libgcc_s",
      "libstdc++", "libc++",   "libasan",    "libtsan",  "linux-vdso."};
  const std::string_view name = file_name(path);
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [name](std::string_view prefix) {
    return name.substr(0, prefix.size()) == prefix;
  });
}

unwind::Tables tables_of(const ElfImage& image) {
  const CodeRange segment = image.segment_with(image.unwind_tables());
  return segment.known() ? unwind::Tables{image.unwind_tables(), segment.begin, segment.end}
                         : unwind::Tables{};
}

Kind kind_of(const ElfImage& image) {
  if (image.contains(reinterpret_cast<const void*>(&kind_of))) return Kind::probe;
  if (host != nullptr && image.base() == host->image.base()) return Kind::host;
  return is_runtime(image.path()) ? Kind::runtime : Kind::other;
}

const Segment* find_segment(const Table& in, std::uintptr_t pc) {
  auto after = std::upper_bound(
      in.segments.begin(), in.segments.end(), pc,
      [](std::uintptr_t address, const Segment& segment) { return address < segment.begin; });
  if (after == in.segments.begin()) return nullptr;
  const Segment& segment = *--after;
  return pc < segment.end ? &segment : nullptr;
}

bool is_boundary(const void* call) {
  const auto& all = boundaries;
  return std::any_of(all.begin(), all.end(),
                     [call](const CodeRange& range) { return range.contains(call); });
}

Step find_step(std::uintptr_t pc) {
  const auto* call = reinterpret_cast<const void*>(pc - 1);
  if (host != nullptr && host->image.contains(call)) {
    Step step;
    step.kind = is_boundary(call) ? Kind::boundary : Kind::host;
    if (host->tables.header != nullptr) step.rule = unwind::find_rule(host->tables, pc);
    return step;
  }
  const Table* objects_now = table.load(std::memory_order_acquire);
  if (objects_now == nullptr) return {};
  const Segment* segment = find_segment(*objects_now, pc - 1);
  if (segment == nullptr) return {};
  Step step;
  step.kind = segment->kind;
  if (segment->tables.header != nullptr) step.rule = unwind::find_rule(segment->tables, pc);
  return step;
}

// The address that all frames of this thread lie below. glibc keeps a thread's descriptor at the
// top of its stack; the main thread's stack ends where the loader says.
std::uintptr_t stack_limit(std::uintptr_t frame) {
  constexpr std::uintptr_t kUnknown = std::uintptr_t{1} << 20;
  const auto own = static_cast<std::uintptr_t>(pthread_self());
  const std::uintptr_t main = main_stack_end;
  std::uintptr_t limit = frame + kUnknown;
  // The nearer of the two: the main thread's descriptor is not on its stack.
  if (main > frame) limit = main;
  if (own > frame && (main <= frame || own < main)) limit = own;
  return limit;
}

__attribute__((no_sanitize("address", "thread"))) inline std::uintptr_t word_at(
    std::uintptr_t address) {
  return *reinterpret_cast<const std::uintptr_t*>(address);
}

// The stack of the calling thread, below which nothing is read.
struct OwnMemory {
  static bool read(std::uintptr_t address, std::uintptr_t* word) {
    *word = word_at(address);
    return true;
  }
};

// Any stack, by way of the kernel: it may be gone, or be another one by now.
struct CopiedMemory {
  static bool read(std::uintptr_t address, std::uintptr_t* word) {
    const iovec local{word, sizeof *word};
    const iovec remote{reinterpret_cast<void*>(address), sizeof *word};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof *word;
  }
};

template <typename Memory>
class Walk {
 public:
  // From a hook's frame.
  Walk(std::uintptr_t frame, Trail* trail)
      : frame_(frame),
        pointer_(frame + 2 * sizeof(void*)),
        frame_pointer_(word_at(frame)),
        frame_pointer_from_(frame),
        pc_(word_at(frame + sizeof(void*))),
        limit_(stack_limit(frame)),
        trail_(trail) {
    if (trail_ != nullptr) trail_->count = 0;
    leave_trail(frame + sizeof(void*));
  }

  // From the instruction that a thread is at, on a stack of which the end is not known.
  explicit Walk(const Registers& registers)
      : frame_(registers.stack_pointer),
        pointer_(registers.stack_pointer),
        frame_pointer_(registers.frame_pointer),
        frame_pointer_from_(0),
        // As if it had called there: rules are looked up for what is before a return address.
        pc_(registers.pc + 1),
        limit_(registers.stack_pointer + kMostStack),
        trail_(nullptr) {}

  // Whether all that the walk depended on is in the trail.
  bool has_whole_trail() const { return whole_; }

  std::uintptr_t pc() const { return pc_; }

  // To the caller; false where the stack ends or cannot be followed.
  bool up(const unwind::Rule& rule) {
    std::uintptr_t cfa = 0;
    switch (rule.base) {
      case unwind::Rule::Base::stack_pointer: cfa = offset(pointer_, rule.cfa_offset); break;
      case unwind::Rule::Base::frame_pointer:
        cfa = offset(frame_pointer_, rule.cfa_offset);
        leave_trail(frame_pointer_from_);
        break;
      case unwind::Rule::Base::at_frame_pointer: {
        const std::uintptr_t place = offset(frame_pointer_, rule.cfa_offset);
        if (!is_on_stack(place) || !Memory::read(place, &cfa)) return false;
        leave_trail(frame_pointer_from_);
        leave_trail(place);
        break;
      }
      case unwind::Rule::Base::none: return false;
    }
    // Every frame has a return address, so the stack pointer rises.
    if (cfa <= pointer_ || cfa > limit_ || cfa % sizeof(void*) != 0) return false;
    if (!restore_frame_pointer(rule, cfa) || !Memory::read(cfa - sizeof(void*), &pc_)) return false;
    pointer_ = cfa;
    leave_trail(cfa - sizeof(void*));
    return pc_ != 0;
  }

 private:
  static std::uintptr_t offset(std::uintptr_t address, std::int32_t by) {
    return address + static_cast<std::uintptr_t>(std::intptr_t{by});
  }

  void leave_trail(std::uintptr_t place) {
    if (trail_ == nullptr || !whole_) return;
    whole_ = trail_->count < Trail::kWords && place - frame_ <= UINT32_MAX;
    if (!whole_) return;
    trail_->words[trail_->count++] = {static_cast<std::uint32_t>(place - frame_), 0,
                                      word_at(place)};
  }

  bool is_on_stack(std::uintptr_t address) const {
    return address >= pointer_ && address < limit_ && address % sizeof(void*) == 0;
  }

  bool restore_frame_pointer(const unwind::Rule& rule, std::uintptr_t cfa) {
    switch (rule.saved) {
      case unwind::Rule::Saved::not_saved: return true;
      case unwind::Rule::Saved::lost:
        // Whatever would be found by it is not on the stack.
        frame_pointer_ = 0;
        return true;
      case unwind::Rule::Saved::at_cfa:
      case unwind::Rule::Saved::at_frame_pointer: break;
    }
    const std::uintptr_t place =
        offset(rule.saved == unwind::Rule::Saved::at_cfa ? cfa : frame_pointer_, rule.saved_offset);
    if (!is_on_stack(place) || place >= cfa) return false;
    // Found by the frame pointer itself: so that one matters, too.
    if (rule.saved == unwind::Rule::Saved::at_frame_pointer) leave_trail(frame_pointer_from_);
    frame_pointer_from_ = place;
    return Memory::read(place, &frame_pointer_);
  }

  static constexpr std::uintptr_t kMostStack = std::uintptr_t{1} << 30;

  const std::uintptr_t frame_;
  std::uintptr_t pointer_;
  std::uintptr_t frame_pointer_;
  std::uintptr_t frame_pointer_from_;  // where on the stack it was read
  std::uintptr_t pc_;
  const std::uintptr_t limit_;
  Trail* const trail_;
  bool whole_ = true;
};

Stopped::Innermost innermost_of(Kind kind) {
  switch (kind) {
    case Kind::boundary: return Stopped::Innermost::loop;
    case Kind::host: return Stopped::Innermost::host;
    case Kind::unknown: return Stopped::Innermost::unknown;
    default: return Stopped::Innermost::foreign;
  }
}

std::uint32_t module_of(Session& session, const Loaded& object) {
  const std::string& path = object.image.path();
  const IdTable::Found found =
      session.definitions().modules.find(mix(mix(path) ^ object.image.base()));
  if (!found.is_new) return found.id;
  const std::string& build_id = object.build_id;
  const format::ModuleBody body{found.id, session.string(path), object.image.base(),
                                static_cast<std::uint32_t>(build_id.size()), 0};
  session.file().define(body, build_id);
  return found.id;
}

const Loaded* object_at(const void* address) {
  const Table* now = table.load(std::memory_order_acquire);
  const Segment* segment =
      now != nullptr ? find_segment(*now, reinterpret_cast<std::uintptr_t>(address) - 1) : nullptr;
  return segment != nullptr ? segment->object : nullptr;
}

}  // namespace

void initialize(const ElfImage& image, std::vector<CodeRange> host_boundaries) {
  host = new Host{image, tables_of(image)};
  boundaries = std::move(host_boundaries);
  const LoaderCall call;
  if (const void* end = dlsym(RTLD_DEFAULT, "__libc_stack_end")) {
    main_stack_end = reinterpret_cast<std::uintptr_t>(*static_cast<void* const*>(end));
  }
  steps.initialize();
}

std::shared_ptr<Table> make_table(std::shared_ptr<const LoadedObjects> objects) {
  auto fresh = std::make_shared<Table>();
  for (const auto& object : objects->all()) {
    const Kind kind = kind_of(object->image);
    const unwind::Tables tables = tables_of(object->image);
    for (const CodeRange& code : object->image.code()) {
      fresh->segments.push_back({code.begin, code.end, object.get(), kind, tables});
    }
  }
  std::sort(fresh->segments.begin(), fresh->segments.end(),
            [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  fresh->objects = std::move(objects);
  return fresh;
}

void publish(std::shared_ptr<Table> fresh) {
  fresh->replaced = std::move(owned);
  owned = std::move(fresh);
  table.store(owned.get(), std::memory_order_release);
}

std::shared_ptr<Table> withdraw() {
  table.store(nullptr, std::memory_order_release);
  return std::move(owned);
}

void forget(std::shared_ptr<Table> last) {
  // One after the other, however many they are.
  while (last != nullptr) last = std::exchange(last->replaced, nullptr);
  // What is unloaded from now on may make room for other code.
  steps.clear();
}

bool is_same_walk(const Trail& trail, std::uint64_t session, const void* frame) {
  const auto begin = reinterpret_cast<std::uintptr_t>(frame);
  if (trail.frame != begin || trail.session != session || trail.count == 0) return false;
  for (std::uint32_t i = 0; i < trail.count; ++i) {
    // Where a word stands follows from the words before it. So as long as those are the same, the
    // next one is on this thread's stack, too, and can be read.
    if (word_at(begin + trail.words[i].offset) != trail.words[i].value) return false;
  }
  return true;
}

std::size_t capture(const void* frame, const void** addresses, std::size_t capacity, Trail* trail) {
#if defined(__x86_64__)
  // The host's own frames before the first foreign one: a call into it and what that calls.
  constexpr int kMaxSteps = 192;
  Walk<OwnMemory> walk(reinterpret_cast<std::uintptr_t>(frame), trail);
  std::size_t n = 0;
  // Where the table of objects ends a walk, the next one may find more.
  bool final = false;
  for (int i = 0; i < kMaxSteps && n < capacity; ++i) {
    const Step step = steps.get(walk.pc(), find_step);
    if (step.kind == Kind::unknown) break;
    final = true;
    if (step.kind == Kind::boundary || (step.kind == Kind::host && n != 0)) break;
    if (step.kind == Kind::other) addresses[n++] = reinterpret_cast<const void*>(walk.pc());
    if (!walk.up(step.rule)) break;
    final = n == capacity;
  }
  if (trail != nullptr && (!final || !walk.has_whole_trail())) trail->count = 0;
  return n;
#else
  // There is no unwinder here yet; the caller of the hook is certain.
  if (trail != nullptr) trail->count = 0;
  const void* caller = static_cast<const void* const*>(frame)[1];
  if (capacity == 0 || find_step(reinterpret_cast<std::uintptr_t>(caller)).kind != Kind::other) {
    return 0;
  }
  addresses[0] = caller;
  return 1;
#endif
}

std::size_t callers(const void* frame, const void** addresses, std::size_t capacity) {
  Walk<OwnMemory> walk(reinterpret_cast<std::uintptr_t>(frame), nullptr);
  std::size_t n = 0;
  while (n < capacity) {
    addresses[n++] = reinterpret_cast<const void*>(walk.pc());
    const Step step = steps.get(walk.pc(), find_step);
    if (step.kind != Kind::host && step.kind != Kind::boundary) break;
    if (!walk.up(step.rule)) break;
  }
  return n;
}

Stopped capture_at(const Registers& registers, const void** addresses, std::size_t capacity) {
  Stopped found;
#if defined(__x86_64__)
  Walk<CopiedMemory> walk(registers);
  bool foreign = false;
  while (found.count < capacity) {
    const Step step = steps.get(walk.pc(), find_step);
    if (found.count == 0) found.innermost = innermost_of(step.kind);
    const bool host_again = step.kind == Kind::host && foreign;
    if (step.kind == Kind::unknown || step.kind == Kind::boundary || host_again) break;
    foreign = foreign || step.kind == Kind::other;
    addresses[found.count++] = reinterpret_cast<const void*>(walk.pc());
    if (!walk.up(step.rule)) break;
  }
#else
  (void)registers, (void)addresses, (void)capacity;
#endif
  return found;
}

std::uint32_t module_with_base(Session& session, std::uintptr_t base) {
  const Table* now = table.load(std::memory_order_acquire);
  if (now == nullptr) return 0;
  for (const auto& object : now->objects->all()) {
    if (object->image.base() == base) return module_of(session, *object);
  }
  return 0;
}

Object object_of(const void* address) {
  const Loaded* object = object_at(address);
  if (object == nullptr) return {};
  return {&object->image.path(), &object->build_id, object->image.base()};
}

bool is_programs(const void* address) {
  return steps.get(reinterpret_cast<std::uintptr_t>(address), find_step).kind == Kind::other;
}

std::uint32_t site(Session& session, const void* address) {
  const auto value = reinterpret_cast<std::uint64_t>(address);
  const IdTable::Found found = session.definitions().sites.find(mix(value));
  if (!found.is_new) return found.id;
  const Loaded* object = object_at(address);
  format::SiteBody body{};
  body.id = found.id;
  body.offset = value;
  if (object != nullptr) {
    body.module = module_of(session, *object);
    if (body.module != 0) body.offset -= object->image.base();
  }
  session.file().define(body);
  return found.id;
}

}  // namespace gilscope::native_stack
