"""The data plane: frames in, answers out, within bounds. Knows no HTTP and no other protocol."""
