"""What a trace means: pure functions of a trace, without clock and without input or output."""
