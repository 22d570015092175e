"""Alerts: the owner's rules, and when an answer raises one. Pure: no I/O, time is an argument."""
