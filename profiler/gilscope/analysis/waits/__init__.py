"""Who waited for what, for how long, and because of whom."""
