"""The page of the HTML report: no script, and nothing from the network."""

from __future__ import annotations

from typing import Final

from edge.report_style import STYLE

PAGE: Final = (
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'">
{mark}
<title>{count} · edge predict</title>
<style>"""
    + STYLE.replace("{", "{{").replace("}", "}}")
    + """</style>
</head>
<body>
<header><h1>{count}</h1><p>{facts}</p></header>
<nav aria-label="Groups"><ul>{links}</ul></nav>
<main>
{sections}</main>
</body>
</html>
"""
)
"""To be filled with `str.format`: ``mark``, ``count``, ``facts``, ``links``, ``sections``."""
