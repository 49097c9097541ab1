// Another program, started so that this process does not see that it had a child.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gilscope {

struct ChildOutput {
  std::string text;
  int error = 0;  // errno if it could not be started
  bool timed_out = false;
};

// Where the program finds the pipe whose other end is read here. It has no other descriptor, but
// for 0 to 2, which are /dev/null.
inline constexpr int kChildPipe = 3;

// Runs a program and returns what it wrote; the calling thread is suspended until it has ended.
// The program has the given environment, a session of its own and no signal blocked or ignored.
// Its end sends no SIGCHLD, and no waitpid() of this process finds it. `command[0]` is its path,
// `patience` in ns: then it is killed.
ChildOutput output_of(const std::vector<std::string>& command,
                      const std::vector<std::string>& environment, std::uint64_t patience);

// Starts a program that outlives this call, as little to be seen as that one, with a low priority.
// It finds `descriptors` as its own 0, 1, 2, … and no others. Returns its process id, or -errno. It
// may look at the memory of this process where the system lets only those do that are named.
//
// Not from a process to which orphans are given (init, a subreaper): it would have a child then.
int start_program(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment, const std::vector<int>& descriptors);

}  // namespace gilscope
