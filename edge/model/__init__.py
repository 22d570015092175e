"""What a model expects and what it answers. Pure functions and values; nothing runs a model."""
