"""Bytes that are cut off, and of which one is changed."""

from hypothesis import strategies as st


def damaged(data, content):
    """Cut the content and change a byte of what is left, as hypothesis's ``data`` draws it."""
    end = data.draw(st.integers(0, len(content)))
    position = data.draw(st.integers(0, max(end - 1, 0)))
    left = bytearray(content[:end])
    if left:
        left[position] ^= data.draw(st.integers(1, 255))
    return bytes(left)
