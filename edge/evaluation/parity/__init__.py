"""Whether an export answers as the model in the cloud does, and what explains it if not."""
