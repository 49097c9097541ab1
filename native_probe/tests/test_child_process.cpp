// output_of: another program, of which this process sees nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>

#include "core/child_process.hpp"
#include "core/image_identity.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::ChildOutput;
using gilscope::identity_of_image;
using gilscope::output_of;

constexpr std::uint64_t kPatience = 20'000'000'000;

std::atomic<int> signals{0};

ChildOutput shell(const std::string& script, std::uint64_t patience = kPatience) {
  return output_of({"/bin/sh", "-c", script}, {"GREETING=hello"}, patience);
}

TEST("what a program writes to its pipe is returned, and its environment is the one given") {
  const ChildOutput output = shell("echo $GREETING >&3; echo unseen; echo unseen >&2; exit 7");
  CHECK_EQUAL(output.text, "hello\n");
  CHECK_EQUAL(output.error, 0);
  CHECK(!output.timed_out);
}

TEST("the end of the program sends no signal and leaves nothing to wait for") {
  struct sigaction counted{};
  struct sigaction before{};
  counted.sa_handler = [](int) { ++signals; };
  sigaction(SIGCHLD, &counted, &before);
  shell("echo >&3");
  sigaction(SIGCHLD, &before, nullptr);
  CHECK_EQUAL(signals.load(), 0);
  CHECK_EQUAL(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
  CHECK_EQUAL(errno, ECHILD);
}

TEST("a program has no descriptor of ours, and no signal of it is blocked or ignored") {
  struct sigaction before{};
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &ignored, &before);
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  dup2(0, 77);
  // Without a process of its own: a shell that makes one blocks signals meanwhile.
  const ChildOutput output = shell(
      "cd /proc/$$; [ -e fd/77 ] && echo it has >&3; while read -r name value; do case $name in "
      "SigBlk:|SigIgn:) echo $name $value >&3;; esac; done < status");
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGUSR1, &before, nullptr);
  CHECK_EQUAL(output.text, "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
}

TEST("a program that takes too long is killed") {
  const ChildOutput output = shell("echo begun >&3; sleep 600", 200'000'000);
  CHECK_EQUAL(output.text, "begun\n");
  CHECK(output.timed_out);
}

TEST("a program that cannot be started is an error") {
  CHECK_EQUAL(output_of({"/no/such/program"}, {}, kPatience).error, ENOENT);
}

TEST("an image has one identity, another image another one, and no image none") {
  const std::string own = identity_of_image(reinterpret_cast<const void*>(&shell));
  CHECK(!own.empty());
  CHECK_EQUAL(identity_of_image(reinterpret_cast<const void*>(&identity_of_image)), own);
  CHECK(identity_of_image(reinterpret_cast<const void*>(&waitpid)) != own);
  const int local = 0;
  CHECK(identity_of_image(&local).empty());
}

}  // namespace
