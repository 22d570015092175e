"""What each command of the command line does; `edge.cli` takes their arguments apart."""
