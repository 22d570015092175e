"""An evaluation as text, as JSON and as a page to look at."""
