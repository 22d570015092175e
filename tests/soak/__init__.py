"""Long runs against a real server: the soak (mixed load) and the fuzz (mutated requests).

`README.md` says how to start them and how to read what they print.
"""
