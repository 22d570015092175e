"""What models can be asked: one file per task, and `registry` that lists them."""
