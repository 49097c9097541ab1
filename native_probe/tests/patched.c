/* An object that calls a function of the C library in every way that leaves a relocation. */
#include <unistd.h>

extern int gilscope_absent(void) __attribute__((weak));

/* Absolute relocations: one stays as it is, one is given another value by the program. */
static pid_t (*volatile const table[])(void) = {getppid};
static pid_t (*volatile chosen)(void) = getppid;

static pid_t of_the_program(void) { return -7; }

void choose(void) { chosen = of_the_program; }
int call_direct(void) { return getppid(); }
int call_table(void) { return table[0](); }
int call_chosen(void) { return chosen(); }
int has_absent(void) { return gilscope_absent != 0; }
