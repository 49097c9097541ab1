// When objects begin and end, so that an address that is used again is another object.
#pragma once

namespace gilscope::races::lifetimes {

// Whether somebody else traces references already.
bool is_taken();
void begin();
void end();

}  // namespace gilscope::races::lifetimes
