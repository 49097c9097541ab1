#include "core/races/shadow.hpp"

#include <algorithm>
#include <utility>

namespace gilscope::races {
namespace {

constexpr std::size_t kFirstCapacity = 16;

}  // namespace

Cell* Stripe::place_of(ObjectId object, Key key, std::uint64_t hash) {
  const std::size_t mask = cells_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    Cell& cell = cells_[i];
    if (cell.object == 0 || (cell.object == object && cell.key == key)) return &cell;
  }
}

Cell& Stripe::find(ObjectId object, Key key, std::uint64_t hash, const Objects& objects,
                   std::size_t most) {
  if (cells_.empty()) cells_.resize(kFirstCapacity);
  Cell* cell = place_of(object, key, hash);
  if (cell->object != 0) return *cell;
  if (used_ >= most || used_ >= cells_.size() - cells_.size() / 4) {
    make_room(objects, most);
    cell = place_of(object, key, hash);
  }
  cell->object = object;
  cell->key = key;
  ++used_;
  return *cell;
}

void Stripe::make_room(const Objects& objects, std::size_t most) {
  const std::size_t before = used_;
  purge_dead(objects);
  if (used_ >= most) give_up_oldest();
  const bool is_enough = used_ <= before - before / 4;
  rebuild(is_enough ? cells_.size() : cells_.size() * 2);
}

void Stripe::drop(Cell& cell) {
  if (cell.has(Cell::kIsShared)) {
    shared_[cell.shared()].reset();
    free_.push_back(cell.shared());
  }
  cell = Cell();
  --used_;
}

void Stripe::purge_dead(const Objects& objects) {
  for (Cell& cell : cells_) {
    if (cell.object != 0 && objects.is_dead(cell.object)) drop(cell);
  }
}

// Half of those that threads do not share, the oldest objects' first; if there are none, of all.
void Stripe::give_up_oldest() {
  std::vector<Cell*> candidates;
  for (Cell& cell : cells_) {
    if (cell.object != 0 && !cell.has(Cell::kIsShared)) candidates.push_back(&cell);
  }
  if (candidates.empty()) {
    for (Cell& cell : cells_) {
      if (cell.object != 0) candidates.push_back(&cell);
    }
  }
  const auto middle = candidates.begin() + static_cast<std::ptrdiff_t>((candidates.size() + 1) / 2);
  std::nth_element(candidates.begin(), middle - 1, candidates.end(),
                   [](const Cell* a, const Cell* b) { return a->object < b->object; });
  for (auto cell = candidates.begin(); cell != middle; ++cell) {
    drop(**cell);
    ++given_up_;
  }
}

void Stripe::rebuild(std::size_t capacity) {
  std::vector<Cell> old(capacity);
  old.swap(cells_);
  for (const Cell& cell : old) {
    if (cell.object == 0) continue;
    *place_of(cell.object, cell.key, Shadow::hash(cell.object, cell.key)) = cell;
  }
}

Shared& Stripe::share(Cell& cell) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(shared_.size()));
    shared_.emplace_back();
  }
  cell.shared() = free_.back();
  cell.set(Cell::kIsShared, true);
  free_.pop_back();
  shared_[cell.shared()] = std::make_unique<Shared>();
  return *shared_[cell.shared()];
}

std::size_t Shadow::variables() const {
  std::size_t total = 0;
  for (const Stripe& stripe : stripes_) total += stripe.size();
  return total;
}

std::uint64_t Shadow::given_up() const {
  std::uint64_t total = 0;
  for (const Stripe& stripe : stripes_) total += stripe.given_up();
  return total;
}

}  // namespace gilscope::races
