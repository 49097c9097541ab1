"""Whether extension modules are ready for an interpreter without the GIL, by their files."""
