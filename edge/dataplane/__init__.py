"""The data plane: a frame in, an answer out. Knows no protocol; every entrance asks it the same way."""
