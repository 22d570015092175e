"""Attacks on a running server, each with the bound that stops it.

A test states three figures of its attack: the longest wait of another camera's frame, the memory
that the server grew by, and, where a connection is to be cut, the time until it is.
"""
