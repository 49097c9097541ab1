// Runs a fuzz target without libFuzzer: mutations of seed files from a seed, so that each run is
// the same again.
//
//     fuzz_NAME SECONDS SEED FILE ...        mutate these
//     fuzz_NAME --once FILE ...              feed these as they are
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/target.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  Bytes mutate(Bytes input) {
    for (std::size_t n = below(8) + 1; n > 0 && !input.empty(); --n) change(input);
    return input;
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  // A number that stands for a length, an offset or a count is most often changed a little, or to
  // one that is at the edge of its type.
  void change(Bytes& input) {
    static constexpr std::uint64_t kEdges[] = {0,
                                               1,
                                               0x7F,
                                               0x80,
                                               0xFF,
                                               0x7FFF,
                                               0xFFFF,
                                               0x7FFFFFFF,
                                               0x80000000,
                                               0xFFFFFFFF,
                                               ~std::uint64_t{0} >> 1,
                                               ~std::uint64_t{0}};
    // The beginning holds headers: it is worth half of the changes.
    const std::size_t range =
        below(2) == 0 ? input.size() : std::min<std::size_t>(input.size(), 256);
    const std::size_t at = below(range);
    const std::size_t width = std::min(std::size_t{1} << below(4), input.size() - at);
    std::uint64_t value = 0;
    std::memcpy(&value, &input[at], width);
    switch (below(6)) {
      case 0: value ^= std::uint64_t{1} << below(64); break;
      case 1: value += below(33) - 16; break;
      case 2: value = kEdges[below(std::size(kEdges))]; break;
      case 3: value = random_(); break;
      case 4: input.resize(at + 1); return;
      default: copy_within(input, at); return;
    }
    std::memcpy(&input[at], &value, width);
  }

  void copy_within(Bytes& input, std::size_t to) {
    const std::size_t from = below(input.size());
    const std::size_t n = below(std::min(input.size() - from, input.size() - to)) + 1;
    std::memmove(&input[to], &input[from], n);
  }

  std::mt19937_64 random_;
};

constexpr unsigned kPatience = 10;  // seconds for one input

Bytes input;
std::string failing;

// What made the target fail is left in a file, since the process ends there.
void keep() {
  std::ofstream file(failing, std::ios::binary);
  file.write(reinterpret_cast<const char*>(input.data()),
             static_cast<std::streamsize>(input.size()));
  std::fprintf(stderr, "the input is in %s\n", failing.c_str());
}

void give_up(int) {
  std::fputs("ERROR: one input takes too long\n", stderr);
  keep();
  std::abort();
}

int run_once(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    input = read(argv[i]);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 3 && std::strcmp(argv[1], "--once") == 0) return run_once(argc, argv);
  if (argc < 4) return 2;
  const std::time_t ends = std::time(nullptr) + std::strtol(argv[1], nullptr, 10);
  failing = std::string(argv[0]) + ".input";
  __sanitizer_set_death_callback(keep);
  signal(SIGALRM, give_up);
  Mutator mutator(std::strtoull(argv[2], nullptr, 10));
  std::vector<Bytes> corpus;
  for (int i = 3; i < argc; ++i) corpus.push_back(read(argv[i]));
  unsigned long runs = 0;
  for (; std::time(nullptr) < ends; ++runs) {
    input = mutator.mutate(corpus[mutator.below(corpus.size())]);
    alarm(kPatience);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%lu inputs\n", runs);
  return 0;
}
