"""Judges models against data sets: metrics, comparisons, parity with the online model."""
