// Our own calls of the loader, which a fork waits for.
#pragma once

namespace gilscope {

// Held over each call of ours that takes the loader's lock: dl_iterate_phdr(), dladdr(), dlsym(),
// dlopen() and dlclose(). A child that is forked meanwhile has that lock locked for ever, by a
// thread that it does not have, and the first import in it would hang. So fork() waits until such
// calls are over, and new ones wait until it is. Neither waits longer than kPatience: a constructor
// of the program may have the loader's lock for as long as it likes.
class LoaderCall {
 public:
  LoaderCall();
  ~LoaderCall();
  LoaderCall(const LoaderCall&) = delete;
  LoaderCall& operator=(const LoaderCall&) = delete;

  // Whether a new one would wait now.
  static bool must_wait();

  // The handlers of fork().
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();
};

}  // namespace gilscope
