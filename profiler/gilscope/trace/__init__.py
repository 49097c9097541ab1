"""The trace file: its format, the model of what it says, and the reader from one to the other."""
