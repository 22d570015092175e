"""Shared by the tests of a running server: the process, clients for it, and pictures to send."""
