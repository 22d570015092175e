"""The tasks of models: one file per task, and `registry`, which lists them."""
