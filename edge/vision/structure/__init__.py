"""Reads the structure of an encoded image before a decoder does: what it costs is known first."""
