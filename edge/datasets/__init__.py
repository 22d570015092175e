"""Labelled pictures: read from what other tools write, looked over, split."""
