"""Names and what they stand for."""

entries = {}


def has(name):
    return name in entries


def put(name, value):
    entries[name] = value
