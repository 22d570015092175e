"""Fakes that ship: a clock that is told the time, a cloud in a process of its own. The service uses none."""
