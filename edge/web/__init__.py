"""The HTTP doors, one file a dialect. The one room that knows FastAPI."""
