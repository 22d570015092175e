"""The look of the reports that are pages on disk, such as `edge predict --html` writes."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark;
  --ground: light-dark(#f4f4f1, #16181a); --card: light-dark(#fff, #212427);
  --ink: light-dark(#1c1e20, #e8e9e6); --muted: light-dark(#5c6166, #a2a8ad);
  --line: light-dark(#d9dad5, #35393d); --unsure: light-dark(#8a5300, #f0b050);
  --failed: light-dark(#b02318, #ff8a7d); --stage: light-dark(#e7e8e4, #0f1112); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
header, section { padding: 0 clamp(16px, 3vw, 40px); }
h1 { margin: 1.2rem 0 .3rem; font-size: 1.7rem; }
h2 { margin: 1.6rem 0 .7rem; font-size: 1.25rem; overflow-wrap: anywhere; }
h2 small { color: var(--muted); font-weight: 400; }
header p { margin: 0; color: var(--muted); overflow-wrap: anywhere; }
nav { position: sticky; top: 0; z-index: 1; margin-top: 1rem; background: var(--ground);
  border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: .5rem; margin: 0; padding: .6rem clamp(16px, 3vw, 40px);
  list-style: none; overflow-x: auto; }
nav a { display: block; padding: .25rem .7rem; border: 1px solid var(--line); border-radius: 99px;
  background: var(--card); color: inherit; text-decoration: none; white-space: nowrap; }
nav b { color: var(--muted); font-weight: 400; }
section { scroll-margin-top: 3.6rem; }
section:last-of-type { padding-bottom: 3rem; }
.cards { display: grid; gap: 14px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); }
figure { margin: 0; border-radius: 8px; overflow: hidden; background: var(--card);
  border: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 270px; }
figcaption { padding: .55rem .75rem .65rem; overflow-wrap: anywhere; }
figcaption p { margin: 0; }
.words { font-weight: 600; }
.unsure .words { color: var(--unsure); }
.failed .words { color: var(--failed); font-weight: 400; }
.name, .name a { color: var(--muted); font-size: .85rem; text-decoration: none; }
.name a:hover, .name a:focus-visible { text-decoration: underline; }
.picture { display: flex; aspect-ratio: 4 / 3; align-items: center; justify-content: center;
  background: var(--stage); color: var(--muted); }
.frame { position: relative; overflow: hidden; }
.frame.wide { width: 100%; }
.frame.tall { height: 100%; }
.frame img { display: block; width: 100%; height: 100%; }
.box { position: absolute; border: 2px solid var(--fill);
  box-shadow: 0 0 0 1px #0009; }
.box b { position: absolute; left: 0; top: 0; max-width: 100%; padding: 0 .35em; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; background: var(--fill);
  color: var(--on-fill); font: 600 12px/1.5 system-ui, sans-serif; }
"""
"""One style sheet: light and dark, from a phone's width on; no script, nothing from the network."""
