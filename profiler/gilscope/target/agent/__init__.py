"""Records a program on request of the same user's commands, by a Unix socket."""
