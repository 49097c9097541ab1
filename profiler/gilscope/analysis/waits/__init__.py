"""Which thread waited for what, for how long, and because of which thread."""
