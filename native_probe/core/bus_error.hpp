// Handles the loss of pages of a trace that threads write to: somebody cut
// the file, the disk failed. The kernel tells whoever touches such a page by a SIGBUS, which would
// end the program under test.
#pragma once

namespace gilscope {

class FilePages;

namespace bus_error {

// Takes a SIGBUS of these pages from now on: memory takes the place of the page, and the trace is
// known to be damaged. Every other SIGBUS goes where it would go without us. Where the program
// ignores the signal, or sets a handler of its own afterwards, that is left as it is.
void guard(FilePages* pages);

// Not before the last write to these pages.
void release(FilePages* pages);

// In a forked child, which has none of the pages.
void after_fork();

}  // namespace bus_error
}  // namespace gilscope
