"""Which models are on disk, and which of them serve under which name and version."""
