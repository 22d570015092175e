"""Fakes that ship: a cloud in a process of its own, which answers as it is told. The service uses none."""
