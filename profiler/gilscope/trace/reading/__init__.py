"""From the bytes of a trace file to the model."""
