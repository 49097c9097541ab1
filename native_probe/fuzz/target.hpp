// What a fuzz target is: libFuzzer calls it, or the driver here, where there is no libFuzzer.
#pragma once

#include <cstddef>
#include <cstdint>

// Feeds one input to the code under test, which may do anything with it but read or write outside
// of it, overflow, or not return.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
