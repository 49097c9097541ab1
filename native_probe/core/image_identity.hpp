// The identity of a loaded object, independent of its file name and its address.
#pragma once

#include <link.h>

#include <string>

namespace gilscope {

// The bytes of the NT_GNU_BUILD_ID note in this segment of notes; empty when there is none.
std::string read_build_id(const dl_phdr_info& info, const ElfW(Phdr) & header);

// Hexadecimal: the build id of the object that has `address`; a digest of its code, if it has none.
// Empty when no object has it.
std::string identity_of_image(const void* address);

}  // namespace gilscope
