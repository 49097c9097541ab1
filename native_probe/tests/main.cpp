// Runs the tests, or those whose sentence contains the first argument.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "tests/harness.hpp"

namespace {

using gilscope::testing::Test;

constexpr unsigned kPatience = 60;  // s

// Ends the process in order, so that a sanitizer has its say too.
[[noreturn]] void run_here(const Test& test) {
  alarm(kPatience);
  try {
    test.body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(1);
  }
  std::exit(0);
}

bool passes(const Test& test) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) run_here(test);
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "ended by signal %d (%s)\n", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
  }
  return status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : gilscope::testing::tests()) {
    if (argc > 1 && std::strstr(test.sentence, argv[1]) == nullptr) continue;
    const bool good = passes(test);
    ++(good ? passed : failed);
    std::printf("%s  %s\n", good ? "ok    " : "FAILED", test.sentence);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
