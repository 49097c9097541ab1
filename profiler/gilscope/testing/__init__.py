"""The plug-in for pytest."""
