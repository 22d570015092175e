"""The frame of the report's page: works from disk, dark and light, on a phone and on a desk."""

from __future__ import annotations

from typing import Final

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="edge train">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c1f23; --soft: #5d646d; --page: #fff; --line: #d9dde2;
  --good: 34 139 84; --bad: 200 60 50; --note: #fff6dd; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e9ed; --soft: #9aa3ad; --page: #15181b;
  --line: #343a41; --good: 80 190 130; --bad: 235 110 95; --note: #3a3218; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.7rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
.figure b {{ font-size: 2rem; display: block; font-variant-numeric: tabular-nums; }}
.note {{ background: var(--note); padding: .5rem .8rem; border-radius: .4rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }}
th {{ color: var(--soft); font-weight: 500; }}
th:first-child, td:first-child {{ text-align: left; position: sticky; left: 0;
  background: var(--page); }}
td span {{ display: block; margin: -.3rem -.7rem; padding: .3rem .7rem; }}
.right {{ background: rgb(var(--good) / calc(var(--share) * .55)); }}
.wrong {{ background: rgb(var(--bad) / calc(.15 + var(--share) * .6)); }}
li {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
