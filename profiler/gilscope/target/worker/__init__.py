"""What the runner starts in another interpreter: one program, run once."""
