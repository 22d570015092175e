"""Bytes to pixels: decode, orientation, limits, geometry. The one room that knows Pillow."""
