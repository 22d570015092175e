"""Reads the export that a user was given into a contract. Knows file formats; runs nothing."""
