"""Runs a contract: LiteRT, TensorFlow, and the pool of workers."""
