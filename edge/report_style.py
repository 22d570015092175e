"""The look of all reports that are pages on disk: light, dark, on paper, from a phone's width on.

One sheet for all of them: tables, plots, pictures and figures look alike wherever they stand.
"""

from __future__ import annotations

from typing import Final

_COLOURS: Final = """
:root { color-scheme: light dark;
  --ground: light-dark(#f4f4f1, #16181a); --card: light-dark(#fff, #212427);
  --ink: light-dark(#1c1e20, #e8e9e6); --muted: light-dark(#5c6166, #a2a8ad);
  --line: light-dark(#d9dad5, #35393d); --stage: light-dark(#e7e8e4, #0f1112);
  --unsure: light-dark(#8a5300, #f0b050); --failed: light-dark(#b02318, #ff8a7d);
  --good: light-dark(#1b6e3c, #74d39a); --accent: light-dark(#1d5fae, #7db4f5);
  --second: light-dark(#a34a00, #f0a35c); --soft: light-dark(#1d5fae1f, #7db4f526);
  --own-cell: light-dark(#1b6e3c, #2f7d4f); --other-cell: light-dark(#b02318, #b5483c); }
"""
"""Text has a contrast of 4.5 or more on each ground that it stands on, in both schemes."""

_PAGE: Final = """
* { box-sizing: border-box; }
body { margin: 0; padding-bottom: 3rem; background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
header, section { padding: 0 clamp(16px, 3vw, 40px); }
h1 { margin: 1.2rem 0 .3rem; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 1.6rem 0 .7rem; font-size: 1.25rem; overflow-wrap: anywhere; }
h2 small { color: var(--muted); font-weight: 400; }
h3 { margin: 1.1rem 0 .6rem; font-size: 1rem; font-weight: 600; overflow-wrap: anywhere; }
h3 small { color: var(--muted); font-weight: 400; }
header p { margin: .15rem 0 0; color: var(--muted); overflow-wrap: anywhere; }
section > p { margin: 0 0 .8rem; color: var(--muted); max-width: 75ch; overflow-wrap: anywhere; }
section > .scroll + p, section > .plot + p { margin-top: .9rem; }
nav { position: sticky; top: 0; z-index: 1; margin-top: 1rem; background: var(--ground);
  border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: .5rem; margin: 0; padding: .6rem clamp(16px, 3vw, 40px);
  list-style: none; overflow-x: auto; }
nav a { display: block; padding: .25rem .7rem; border: 1px solid var(--line); border-radius: 99px;
  background: var(--card); color: inherit; text-decoration: none; white-space: nowrap; }
nav b { color: var(--muted); font-weight: 400; }
section { scroll-margin-top: 3.6rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code { font: .92em ui-monospace, monospace; }
pre { margin: 1rem 0 0; padding: .7rem 1rem; overflow-x: auto; width: fit-content; max-width: 100%;
  border: 1px solid var(--line); border-radius: 8px; background: var(--card);
  font: 13px/1.5 ui-monospace, monospace; }
pre .plus, .better, .passed { color: var(--good); }
pre .minus, .worse, .missed { color: var(--failed); }
"""

_FIGURES: Final = """
.lead { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .9rem;
  margin-top: 1.1rem; }
.lead b { font-size: 2.8rem; line-height: 1.1; font-weight: 650; letter-spacing: -.02em; }
.lead span { color: var(--muted); max-width: 60ch; }
.tiles { display: grid; gap: 10px; margin: 1.1rem 0 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 180px), 1fr)); }
.tiles div { padding: .6rem .8rem .65rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
.tiles dt { color: var(--muted); font-size: .85rem; line-height: 1.3; }
.tiles dd { margin: .15rem 0 0; font-size: 1.25rem; font-weight: 600; }
.notes { margin: 1rem 0 0; padding: .7rem 1rem .7rem 2rem; border: 1px solid var(--line);
  border-left: 4px solid var(--unsure); border-radius: 8px; background: var(--card);
  overflow-wrap: anywhere; }
.notes li + li { margin-top: .3rem; }
.notes li b { text-transform: capitalize; }
.demands { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 0; padding: 0;
  list-style: none; }
.demands li { padding: .25rem .75rem; border-radius: 99px; border: 1px solid currentColor;
  overflow-wrap: anywhere; }
.rows { margin: 0; padding-left: 1.2rem; max-width: 75ch; overflow-wrap: anywhere; }
.rows li + li { margin-top: .25rem; }
"""

_TABLES: Final = """
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); width: fit-content; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .75rem; text-align: right; white-space: nowrap; font-weight: 400; }
thead th { color: var(--muted); font-size: .85rem; }
tbody tr { border-top: 1px solid var(--line); }
tbody th, thead :first-child { text-align: left; }
tbody th { max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
td.remark { text-align: left; color: var(--muted); }
.pairs th, .pairs td:nth-child(2) { text-align: left; }
.pairs td:nth-child(2) { max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
.figures tbody th { max-width: 28rem; white-space: normal; }
.bar { display: inline-block; width: 64px; height: 7px; margin-left: .5rem; border-radius: 4px;
  background: var(--soft); vertical-align: middle; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
td.wide { min-width: 12rem; width: 100%; }
.wide .bar { display: flex; width: 100%; height: 10px; margin: 0; }
.wide .bar i { flex: none; }
.splits { display: flex; gap: 1rem; flex-wrap: wrap; }
.splits i { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  background: var(--accent); }
.bar i.validation, .splits i.validation { background: var(--second); }
.bar i.test, .splits i.test { background: var(--good); }
.matrix td { min-width: 2.9rem; padding: .38rem .45rem; text-align: center; color: var(--muted);
  border-left: 1px solid var(--line); }
.matrix td.some { color: var(--ink); font-weight: 600; }
.matrix td.own {
  background: color-mix(in srgb, var(--own-cell) calc(var(--share) * 55%), transparent); }
.matrix td.other {
  background: color-mix(in srgb, var(--other-cell) calc(var(--share) * 60% + 8%), transparent); }
.matrix thead th { max-width: 7.5rem; overflow: hidden; text-overflow: ellipsis;
  text-align: center; vertical-align: bottom; }
.matrix tbody th { position: sticky; left: 0; background: var(--card); max-width: 9rem; }
"""

_PLOTS: Final = """
.plots { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.plot { margin: 0; padding: .6rem .8rem .5rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
.plot h3 { margin: 0 0 .3rem; }
.plot > div { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
.wide-plot { max-width: 480px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--muted); font: 9px system-ui, sans-serif; }
.wide-plot svg text { font-size: 5.5px; }
svg .axis { stroke: var(--line); stroke-width: 1; fill: none; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 1.8; stroke-linejoin: round; }
svg .second { stroke: var(--second); stroke-dasharray: 4 2.5; }
.wide-plot svg .line { stroke-width: 1.1; }
.wide-plot svg .axis { stroke-width: .5; }
svg .mark { stroke: var(--good); stroke-width: 1.2; }
svg .dot { fill: var(--good); stroke: var(--card); stroke-width: .8; }
svg .fill { fill: var(--accent); }
svg .ideal { stroke: var(--muted); stroke-width: .6; stroke-dasharray: 2 2; fill: none; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .35rem 0 0; font-size: .85rem;
  color: var(--muted); }
.key i { display: inline-block; width: 1.3rem; margin-right: .4rem; vertical-align: middle;
  border-top: 2px solid var(--accent); }
.key .second { border-top: 2px dashed var(--second); }
.key .ideal { border-top: 2px dotted var(--muted); }
.key .dot { width: .65rem; height: .65rem; border: 0; border-radius: 50%;
  background: var(--good); }
.key .mark { width: 0; height: .9rem; border: 0; border-left: 2px solid var(--good); }
"""

_PICTURES: Final = """
.cards { display: grid; gap: 14px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(46%, 230px), 1fr)); }
.cards.large { grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); }
section > .cards + p { margin-top: .8rem; }
figure { margin: 0; border-radius: 8px; overflow: hidden; background: var(--card);
  border: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 270px; }
figcaption { padding: .55rem .75rem .65rem; overflow-wrap: anywhere; }
figcaption p { margin: 0; }
figcaption .why { margin-top: .15rem; font-size: .9rem; }
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
.box.true { border-style: dashed; border-color: #fff; box-shadow: none; outline: 1px solid #0006; }
"""

_SMALL_AND_PAPER: Final = """
@media (max-width: 840px) {
  th, td { padding: .34rem .5rem; }
  .scroll { font-size: .92rem; }
  .bar { width: 36px; margin-left: .35rem; }
}
@media (max-width: 520px) {
  td .bar { display: none; }
  td.wide { min-width: 6rem; }
  td.wide .bar { display: flex; }
  .lead b { font-size: 2.3rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .cards { gap: 8px; }
  figcaption { font-size: .85rem; }
  td.remark { white-space: normal; min-width: 9rem; }
  tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
  .matrix tbody th { white-space: nowrap; min-width: 0; max-width: 7rem; }
}
@media print {
  :root { color-scheme: light; --ground: #fff; }
  body { padding: 0; font-size: 10pt; print-color-adjust: exact; }
  nav { display: none; }
  .scroll { overflow: visible; max-width: none; font-size: 8.5pt; }
  th, td { padding: .2rem .4rem; }
  .matrix tbody th { position: static; }
  .matrix td { min-width: 0; }
  figure { content-visibility: visible; }
  figure, .plot, .tiles div, tr { break-inside: avoid; }
  h2, h3, section > p { break-after: avoid; }
  .cards { grid-template-columns: repeat(4, 1fr); gap: 8px; }
  .plots { grid-template-columns: 1fr 1fr; }
  pre { white-space: pre-wrap; }
}
"""

STYLE: Final = _COLOURS + _PAGE + _FIGURES + _TABLES + _PLOTS + _PICTURES + _SMALL_AND_PAPER
