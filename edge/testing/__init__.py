"""Fakes that ship: an online model in a process of its own. The service itself uses none."""
