"""Fits a classifier to a data set on this machine and writes it as an AutoML export."""
