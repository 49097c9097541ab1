// Forks of a program whose order of locks is watched, and the locks that the children ask for: one
// that another thread had at the fork is locked in the child for ever. A child is not watched
// otherwise. It notes the address of each lock that it inherited and asks for, once, in memory that
// it shares with its parent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/order/graph.hpp"

namespace gilscope::order::forks {

struct Fork {
  Serial thread = 0;
  Point point;
  StackId stack = 0;
  LockId end = 0;  // locks from here on were made later
  std::vector<LockId> held;
};

struct Asked {
  std::uint32_t fork;  // index of the fork
  std::uintptr_t address;
  std::string file;
  std::string function;
  std::uint32_t line;
};

// Before a watch begins: nothing is known.
void begin();
// The handlers of fork(). The first one notes it, if there is a watch.
void before_fork();
void after_fork_in_child();

// Whether this process is a child that notes what it asks for.
bool is_child();
// In such a child: a lock has been made, or made anew; the running thread asks for one.
void made(const void* lock);
void asked(const void* lock);

// Of the parent.
std::vector<Fork> all();
std::vector<Asked> all_asked();

}  // namespace gilscope::order::forks
