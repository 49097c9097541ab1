"""What each thread was doing, moment by moment."""
