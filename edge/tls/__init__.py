"""Certificates: the owner's, or this machine's own authority; and the machine's names and addresses."""
