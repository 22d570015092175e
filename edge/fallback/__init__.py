"""When the edge is unsure, fails or is full: whether the cloud is asked, and how. Owns google-cloud-aiplatform."""
