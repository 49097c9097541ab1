// The little that these tests need of a framework: a test is a sentence and a body, runs in a
// process of its own, and has failed when a check does not hold, it crashes or it takes too long.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace gilscope::testing {

struct Test {
  const char* sentence;
  void (*body)();
};

// All tests of the program, in the order in which the linker happened to find them.
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(const char* sentence, void (*body)()) { tests().push_back({sentence, body}); }
};

struct CheckFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  std::ostringstream text;
  text << file << ':' << line << ": " << what;
  throw CheckFailed(text.str());
}

template <typename A, typename B>
void check_equal(const A& a, const B& b, const char* texts, const char* file, int line) {
  if (a == b) return;
  std::ostringstream text;
  text << texts << ": " << a << " is not " << b;
  fail(file, line, text.str());
}

}  // namespace gilscope::testing

#define GILSCOPE_JOIN2(a, b) a##b
#define GILSCOPE_JOIN(a, b) GILSCOPE_JOIN2(a, b)

#define TEST(sentence)                                                                 \
  static void GILSCOPE_JOIN(test_, __LINE__)();                                        \
  static const gilscope::testing::Registration GILSCOPE_JOIN(registration_, __LINE__)( \
      sentence, GILSCOPE_JOIN(test_, __LINE__));                                       \
  static void GILSCOPE_JOIN(test_, __LINE__)()

// Only in the thread that runs the test: a check that does not hold throws.
#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) gilscope::testing::fail(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_EQUAL(a, b) gilscope::testing::check_equal((a), (b), #a " == " #b, __FILE__, __LINE__)
