"""What `edge predict` does with its answers: terminal, tab-separated text, JSON, CSV, HTML."""
