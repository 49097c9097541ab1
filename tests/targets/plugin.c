/* A library that takes its time to start, and loads another one then. Copied by the programs under
 * test: each copy is a library of its own. */
#include <stdlib.h>
#include <unistd.h>

extern void* opener_open(const char* path);

__attribute__((constructor)) static void start(void) {
  const char* other = getenv("PLUGIN_NEEDS");
  usleep(1000);
  if (other != NULL) opener_open(other);
}

__attribute__((visibility("default"))) int plugin_answer(void) { return 42; }
