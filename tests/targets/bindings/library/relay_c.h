/* The library for languages that cannot call C++: functions and a context where that has classes.
 */
#ifndef GILSCOPE_TESTS_RELAY_C_H
#define GILSCOPE_TESTS_RELAY_C_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef void relay_callback(void* context, int number);
typedef void relay_log(void* context, int level, const char* text);

void relay_forward(relay_callback* callback, void* context, int calls);
void relay_forward_from_threads(relay_callback* callback, void* context, int threads, int calls);
void relay_log_from_threads(relay_log* log, void* context, int threads, int records);
uint64_t relay_compute(int steps);
int relay_contend(int rounds);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
