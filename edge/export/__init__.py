"""Reads what AutoML gave the user into a contract. Knows file formats; runs nothing."""
