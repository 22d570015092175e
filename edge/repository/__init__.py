"""What is on disk, what of it serves, and under which name and version."""
