"""The speed-up to expect without the GIL."""
