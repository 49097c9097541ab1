#include "core/unwind.hpp"

#include <cstddef>
#include <cstring>

namespace gilscope::unwind {

#if defined(__x86_64__)
namespace {

// Registers by their DWARF numbers.
constexpr std::uint64_t kFramePointer = 6;
constexpr std::uint64_t kStackPointer = 7;
constexpr std::uint64_t kReturnAddress = 16;

// Encodings of pointers in the tables (DW_EH_PE_*).
constexpr std::uint8_t kAbsolute = 0x00;
constexpr std::uint8_t kUnsigned4 = 0x03;
constexpr std::uint8_t kUnsigned8 = 0x04;
constexpr std::uint8_t kSigned4 = 0x0B;
constexpr std::uint8_t kSigned8 = 0x0C;
constexpr std::uint8_t kRelativeToPlace = 0x10;
constexpr std::uint8_t kSearchTable = 0x3B;  // signed 4 bytes, relative to .eh_frame_hdr

// Reads on from one place to another. What stands there may be anything: behind the end, all is 0.
class Bytes {
 public:
  Bytes(const std::uint8_t* at, const std::uint8_t* end) : at_(at), end_(end) {}

  bool more() const { return ok_ && at_ < end_; }
  bool ok() const { return ok_; }
  const std::uint8_t* at() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  template <typename T>
  T fixed() {
    T value{};
    if (left() < sizeof value) {
      ok_ = false;
      at_ = end_;
      return value;
    }
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }

  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
      return static_cast<std::int64_t>(value);
    }
    ok_ = false;
    return 0;
  }

  std::uint64_t encoded(std::uint8_t encoding) {
    const auto place = reinterpret_cast<std::uint64_t>(at_);
    std::uint64_t value = 0;
    switch (encoding & 0x0F) {
      case kAbsolute:
      case kUnsigned8:
      case kSigned8: value = fixed<std::uint64_t>(); break;
      case kUnsigned4: value = fixed<std::uint32_t>(); break;
      case kSigned4: value = static_cast<std::uint64_t>(std::int64_t{fixed<std::int32_t>()}); break;
      default: ok_ = false; return 0;
    }
    switch (encoding & 0xF0) {
      case 0: return value;
      case kRelativeToPlace: return value + place;
      default: ok_ = false; return 0;
    }
  }

  void skip(std::uint64_t n) {
    if (n > left()) {
      ok_ = false;
      n = left();
    }
    at_ += n;
  }

  // The next `n` bytes for themselves, which are skipped here.
  Bytes part(std::uint64_t n) {
    const std::uint8_t* begin = at_;
    skip(n);
    Bytes bytes(begin, at_);
    bytes.ok_ = ok_;
    return bytes;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

// The segment that the tables lie in.
class Segment {
 public:
  explicit Segment(const Tables& tables)
      : begin_(reinterpret_cast<const std::uint8_t*>(tables.begin)),
        size_(tables.end - tables.begin) {}

  // From an address to the end; nothing when it lies outside.
  Bytes from(std::uint64_t address) const {
    const std::uint64_t offset = address - reinterpret_cast<std::uint64_t>(begin_);
    if (offset > size_) return {begin_, begin_};
    return {begin_ + offset, begin_ + size_};
  }

  // What a CIE or FDE holds. Nothing when the record has the 64-bit form, which no linker writes
  // here, or is not all there.
  Bytes record_at(std::uint64_t address) const {
    Bytes bytes = from(address);
    const auto length = bytes.fixed<std::uint32_t>();
    return length == 0xFFFFFFFFu ? bytes.part(0) : bytes.part(length);
  }

 private:
  const std::uint8_t* begin_;
  std::size_t size_;
};

// Numbers of the tables may be anything: a product that does not fit wraps, and leads nowhere.
std::int64_t product(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

struct Common {
  std::uint64_t code_alignment = 1;
  std::int64_t data_alignment = 1;
  std::uint8_t pointers = kAbsolute;
  bool augmented = false;
  Bytes instructions{nullptr, nullptr};
};

bool read_common(Bytes bytes, Common& common) {
  if (bytes.fixed<std::uint32_t>() != 0) return false;
  const auto version = bytes.fixed<std::uint8_t>();
  if (version != 1 && version != 3) return false;
  const auto* letters = reinterpret_cast<const char*>(bytes.at());
  if (std::memchr(letters, '\0', bytes.left()) == nullptr) return false;
  bytes.skip(std::strlen(letters) + 1);
  common.code_alignment = bytes.uleb();
  common.data_alignment = bytes.sleb();
  if ((version == 1 ? bytes.fixed<std::uint8_t>() : bytes.uleb()) != kReturnAddress) return false;
  if (*letters == 'z') {
    common.augmented = true;
    Bytes augmentation = bytes.part(bytes.uleb());
    for (const char* letter = letters + 1; *letter != '\0'; ++letter) {
      switch (*letter) {
        case 'R': common.pointers = augmentation.fixed<std::uint8_t>(); break;
        case 'L': augmentation.fixed<std::uint8_t>(); break;
        case 'P': {
          const auto encoding = augmentation.fixed<std::uint8_t>();
          augmentation.encoded(encoding & 0x7F);
          break;
        }
        // 'S', the frame of a signal handler, among them: where it returns to is no call.
        default: return false;
      }
    }
    if (!augmentation.ok()) return false;
  } else if (*letters != '\0') {
    return false;
  }
  common.instructions = bytes;
  return bytes.ok();
}

// One row of the table that the instructions describe, as far as we need it.
struct Row {
  Rule rule;
  std::int64_t return_address = 0;  // relative to the CFA; 0: not there or not to be found
};

class Machine {
 public:
  Machine(const Common& common, std::uint64_t location, std::uint64_t target)
      : common_(common), location_(location), target_(target) {
    row_.rule.saved = Rule::Saved::not_saved;
  }

  bool run(Bytes bytes) {
    while (bytes.more()) {
      const auto instruction = bytes.fixed<std::uint8_t>();
      if (is_beyond(instruction, bytes)) return bytes.ok();
      if (!step(instruction, bytes) || !bytes.ok()) return false;
    }
    return bytes.ok();
  }

  void keep_initial() { initial_ = row_; }
  const Row& row() const { return row_; }

 private:
  static constexpr int kRemembered = 8;

  // Moves on to the next row; true when that begins behind the address that was asked for.
  bool is_beyond(std::uint8_t instruction, Bytes& bytes) {
    std::uint64_t delta = 0;
    if ((instruction & 0xC0) == 0x40) {
      delta = instruction & 0x3Fu;
    } else {
      switch (instruction) {
        case 0x02: delta = bytes.fixed<std::uint8_t>(); break;
        case 0x03: delta = bytes.fixed<std::uint16_t>(); break;
        case 0x04: delta = bytes.fixed<std::uint32_t>(); break;
        default: return false;
      }
    }
    location_ += delta * common_.code_alignment;
    return location_ > target_;
  }

  bool step(std::uint8_t instruction, Bytes& bytes) {
    switch (instruction & 0xC0) {
      case 0x40: return true;
      case 0x80: saved_at(instruction & 0x3Fu, signed_factor(bytes.uleb())); return true;
      case 0xC0: restore(instruction & 0x3Fu); return true;
      default: break;
    }
    switch (instruction) {
      case 0x00:  // nop
      case 0x02:
      case 0x03:
      case 0x04:  // advance, done
        return true;
      case 0x05: {  // offset_extended
        const std::uint64_t reg = bytes.uleb();
        saved_at(reg, signed_factor(bytes.uleb()));
        return true;
      }
      case 0x11: {  // offset_extended_sf
        const std::uint64_t reg = bytes.uleb();
        saved_at(reg, product(bytes.sleb(), common_.data_alignment));
        return true;
      }
      case 0x06: restore(bytes.uleb()); return true;
      case 0x07: lose(bytes.uleb()); return true;  // undefined
      case 0x08: same(bytes.uleb()); return true;
      case 0x09: {  // in another register
        lose(bytes.uleb());
        bytes.uleb();
        return true;
      }
      case 0x0A:
        if (depth_ == kRemembered) return false;
        remembered_[depth_++] = row_;
        return true;
      case 0x0B:
        if (depth_ == 0) return false;
        row_ = remembered_[--depth_];
        return true;
      case 0x0C: {
        const std::uint64_t reg = bytes.uleb();
        define_cfa(reg, static_cast<std::int64_t>(bytes.uleb()));
        return true;
      }
      case 0x12: {
        const std::uint64_t reg = bytes.uleb();
        define_cfa(reg, product(bytes.sleb(), common_.data_alignment));
        return true;
      }
      case 0x0D: define_cfa(bytes.uleb(), row_.rule.cfa_offset); return true;
      case 0x0E: set_cfa_offset(static_cast<std::int64_t>(bytes.uleb())); return true;
      case 0x13: set_cfa_offset(product(bytes.sleb(), common_.data_alignment)); return true;
      case 0x0F: cfa_expression(bytes); return true;
      case 0x10: saved_expression(bytes); return true;
      case 0x14:
      case 0x15:
      case 0x16: return value_rule(instruction, bytes);
      case 0x2E: bytes.uleb(); return true;  // size of arguments
      default: return false;
    }
  }

  std::int64_t signed_factor(std::uint64_t n) const {
    return product(static_cast<std::int64_t>(n), common_.data_alignment);
  }

  void define_cfa(std::uint64_t reg, std::int64_t offset) {
    row_.rule.base = reg == kStackPointer   ? Rule::Base::stack_pointer
                     : reg == kFramePointer ? Rule::Base::frame_pointer
                                            : Rule::Base::none;
    set_cfa_offset(offset);
  }

  void set_cfa_offset(std::int64_t offset) {
    row_.rule.cfa_offset = static_cast<std::int32_t>(offset);
    if (row_.rule.cfa_offset != offset) row_.rule.base = Rule::Base::none;
  }

  void saved_at(std::uint64_t reg, std::int64_t offset) {
    if (reg == kReturnAddress) row_.return_address = offset;
    if (reg == kFramePointer) set_saved(Rule::Saved::at_cfa, offset);
  }

  void set_saved(Rule::Saved how, std::int64_t offset) {
    row_.rule.saved = how;
    row_.rule.saved_offset = static_cast<std::int16_t>(offset);
    if (row_.rule.saved_offset != offset) row_.rule.saved = Rule::Saved::lost;
  }

  void restore(std::uint64_t reg) {
    if (reg == kReturnAddress) row_.return_address = initial_.return_address;
    if (reg != kFramePointer) return;
    row_.rule.saved = initial_.rule.saved;
    row_.rule.saved_offset = initial_.rule.saved_offset;
  }

  void lose(std::uint64_t reg) {
    if (reg == kReturnAddress) row_.return_address = 0;
    if (reg == kFramePointer) row_.rule.saved = Rule::Saved::lost;
  }

  void same(std::uint64_t reg) {
    if (reg == kReturnAddress) row_.return_address = 0;
    if (reg == kFramePointer) row_.rule.saved = Rule::Saved::not_saved;
  }

  bool value_rule(std::uint8_t instruction, Bytes& bytes) {
    lose(bytes.uleb());
    if (instruction == 0x16) {
      bytes.skip(bytes.uleb());
    } else {
      bytes.uleb();
    }
    return true;
  }

  // Functions that realign their stack keep the CFA itself in it: DW_OP_breg6 n, DW_OP_deref.
  void cfa_expression(Bytes& bytes) {
    Bytes expression = bytes.part(bytes.uleb());
    row_.rule.base = Rule::Base::none;
    if (!bytes.ok() || expression.fixed<std::uint8_t>() != 0x76) return;
    const std::int64_t offset = expression.sleb();
    if (expression.fixed<std::uint8_t>() != 0x06 || !expression.ok() || expression.more()) return;
    row_.rule.base = Rule::Base::at_frame_pointer;
    set_cfa_offset(offset);
  }

  void saved_expression(Bytes& bytes) {
    const std::uint64_t reg = bytes.uleb();
    Bytes expression = bytes.part(bytes.uleb());
    lose(reg);
    if (!bytes.ok() || reg != kFramePointer || expression.fixed<std::uint8_t>() != 0x76) return;
    const std::int64_t offset = expression.sleb();
    if (expression.ok() && !expression.more()) set_saved(Rule::Saved::at_frame_pointer, offset);
  }

  const Common& common_;
  std::uint64_t location_;
  const std::uint64_t target_;
  Row row_;
  Row initial_;
  Row remembered_[kRemembered];
  int depth_ = 0;
};

// The address of the FDE with the last beginning at or before `target`; 0: none.
std::uint64_t find_description(const Segment& segment, std::uint64_t header, std::uint64_t target) {
  Bytes bytes = segment.from(header);
  const auto version = bytes.fixed<std::uint8_t>();
  const auto pointer = bytes.fixed<std::uint8_t>();
  const auto counted = bytes.fixed<std::uint8_t>();
  const auto table = bytes.fixed<std::uint8_t>();
  if (version != 1 || counted != kUnsigned4 || table != kSearchTable) return 0;
  if ((pointer & 0x0F) != kSigned4 && (pointer & 0x0F) != kUnsigned4) return 0;
  bytes.skip(sizeof(std::uint32_t));
  const auto count = bytes.fixed<std::uint32_t>();
  struct Entry {
    std::int32_t begin;
    std::int32_t description;
  };
  if (!bytes.ok() || count > bytes.left() / sizeof(Entry)) return 0;
  auto entry_at = [entries = bytes.at()](std::uint32_t i) {
    Entry entry{};
    std::memcpy(&entry, entries + std::size_t{i} * sizeof entry, sizeof entry);
    return entry;
  };
  const auto wanted = static_cast<std::int64_t>(target - header);
  std::uint32_t low = 0;
  std::uint32_t high = count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (entry_at(middle).begin <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return 0;
  return header + static_cast<std::uint64_t>(std::int64_t{entry_at(low - 1).description});
}

}  // namespace

Rule find_rule(const Tables& tables, std::uintptr_t pc) {
  // The call, not what comes after it: that may be another function.
  const std::uint64_t target = pc - 1;
  const Segment segment(tables);
  const auto header = reinterpret_cast<std::uint64_t>(tables.header);
  const std::uint64_t description = find_description(segment, header, target);
  if (description == 0) return {};
  Bytes bytes = segment.record_at(description);
  const auto place = reinterpret_cast<std::uint64_t>(bytes.at());
  const auto back = bytes.fixed<std::uint32_t>();
  Common common;
  if (back == 0 || !read_common(segment.record_at(place - back), common)) return {};
  const std::uint64_t begin = bytes.encoded(common.pointers);
  const std::uint64_t size = bytes.encoded(common.pointers & 0x0F);
  if (common.augmented) bytes.skip(bytes.uleb());
  if (!bytes.ok() || target < begin || target - begin >= size) return {};
  Machine machine(common, begin, target);
  if (!machine.run(common.instructions)) return {};
  machine.keep_initial();
  if (!machine.run(bytes)) return {};
  // Ordinary functions have it right above their frame; a thread's first one has none.
  if (machine.row().return_address != -8) return {};
  return machine.row().rule;
}

#else

Rule find_rule(const Tables&, std::uintptr_t) { return {}; }

#endif

}  // namespace gilscope::unwind
