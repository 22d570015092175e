"""What a model promises and what it answers. Pure functions and values; nothing here runs a model."""
