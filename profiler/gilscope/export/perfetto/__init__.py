"""Perfetto's protobuf trace, and what only that format needs."""
