#include "core/races/candidates.hpp"

namespace gilscope::races {
namespace {

std::uint64_t fold(std::uint64_t hash, std::uint64_t value) {
  const auto product =
      static_cast<unsigned __int128>(hash ^ value ^ 0x9E3779B97F4A7C15u) * 0xE7037ED1A0B428DBu;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_of(const Candidate& candidate) {
  std::uint64_t hash =
      fold(static_cast<std::uint64_t>(candidate.kind) + 1, candidate.is_split       ? 2
                                                           : candidate.is_suspected ? 1
                                                                                    : 0);
  for (const Seen* seen : {&candidate.first, &candidate.second}) {
    hash = fold(hash, std::uint64_t{seen->access.site} << 32 | seen->access.stack);
    hash = fold(hash, static_cast<std::uint64_t>(seen->op));
  }
  hash = fold(hash, static_cast<std::uint64_t>(candidate.other.op));
  return fold(fold(hash, candidate.other.access.site), candidate.last.access.site);
}

// Whether the time of every access is known.
bool is_timed(const Candidate& candidate) {
  const auto has_time = [](const Seen& seen) {
    return seen.access.clock == 0 || seen.access.time_ns != 0;
  };
  return has_time(candidate.first) && has_time(candidate.second) && has_time(candidate.other) &&
         has_time(candidate.last);
}

}  // namespace

std::uint32_t Candidates::add(const Candidate& candidate, bool witnessed, std::uint64_t use) {
  const std::uint64_t hash = hash_of(candidate);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = places_.find(hash);
  std::uint32_t number = kKnown;
  Candidate* place = nullptr;
  if (found != places_.end()) {
    place = &list_[found->second];
  } else if (list_.size() < kMost) {
    number = static_cast<std::uint32_t>(list_.size());
    places_[hash] = number;
    list_.push_back(candidate);
    place = &list_.back();
  } else {
    ++left_out_;
    return kKnown;
  }
  // Between the reports of one access another thread's may come, seldom.
  if (place->count == 0 || place->use != use) ++place->count;
  place->use = use;
  // The one to show is one that went wrong, and of these one of which all times are known.
  const bool is_first_witness = witnessed && place->witnessed == 0;
  if (witnessed && (is_first_witness || place->witness != use)) ++place->witnessed;
  if (witnessed) place->witness = use;
  const bool is_as_good = witnessed || place->witnessed == 0;
  if (is_first_witness || (is_as_good && is_timed(candidate) && !is_timed(*place))) {
    place->first = candidate.first;
    place->second = candidate.second;
    place->other = candidate.other;
    place->last = candidate.last;
  }
  return number;
}

}  // namespace gilscope::races
