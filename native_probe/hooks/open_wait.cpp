#include "hooks/open_wait.hpp"

#include "core/shown_wait.hpp"

namespace gilscope::hooks {
namespace {

namespace flag = format::lock_wait_flag;

void show_none(Recording& recording) {
  ThreadLog& log = recording.log();
  if (log.open_held != nullptr) recording.session().held().release(log.open_held);
  log.open_held = nullptr;
  log.open_wait = 0;
  log.open_entry = nullptr;
  shown_wait::end(*log.slot);
}

}  // namespace

bool OpenWait::can_begin(Recording& recording) const {
  ThreadLog& log = recording.log();
  if (!shown_wait::is_open(*log.slot)) return true;
  if (log.open_wait == 0 || !mark_.outlives(log.open_wait)) return false;
  // It was left by siglongjmp() at an unknown time: not a record.
  if (log.open_entry != nullptr) WaitTable::release(log.open_entry);
  show_none(recording);
  return true;
}

void OpenWait::begin(Recording& recording, const What& what, std::uint64_t start) {
  Session& session = recording.session();
  ThreadLog& log = recording.log();
  what_ = what;
  start_ = start;
  session_ = session.id();
  if (what.ended_on != nullptr) {
    entry_ = session.waits().claim(what.ended_on, log.index, what.what);
  }
  if (what.owner != nullptr && what.peer != 0) {
    log.open_held = session.held().claim(what.owner, what.peer);
  }
  log.open_wait = mark_.address();
  log.open_entry = entry_;
  shown_wait::begin(recording.slot(), what.kind, what.what, what.peer, what.flags, what.stack,
                    start);
}

void OpenWait::set_stack(Recording& recording, std::uint32_t stack) {
  what_.stack = stack;
  shown_wait::set_stack(recording.slot(), stack);
}

void OpenWait::close(std::uint8_t more_flags, bool writes) {
  if (!is_open()) return;
  const std::uint64_t now = Clock::ticks();
  const ErrnoKeeper keep_errno;
  Recording recording;
  const bool same_session = recording && recording.session().id() == session_;
  session_ = 0;
  if (!same_session) return;
  show_none(recording);
  const std::uint32_t ender = entry_ != nullptr ? WaitTable::release(entry_) : 0;
  if (!writes) return;
  const bool was_ended = (more_flags & (flag::kTimedOut | flag::kInterrupted)) == 0;
  if (what_.ended_on != nullptr) what_.peer = was_ended ? ender : 0;
  recording.emit(what_.kind, what_.flags | more_flags, 0, what_.what, start_,
                 now > start_ ? now - start_ : 0, what_.peer, what_.stack);
}

}  // namespace gilscope::hooks
