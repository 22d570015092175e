"""What the page of an evaluation adds to the style of all reports: tables, plots, figures."""

from __future__ import annotations

from typing import Final

PAGE_STYLE: Final = """
:root { --accent: light-dark(#1d5fae, #7db4f5); --second: light-dark(#a34a00, #f0a35c);
  --good: light-dark(#1b6e3c, #74d39a); --soft: light-dark(#1d5fae1f, #7db4f526); }
body { padding-bottom: 3rem; }
header .path { margin-top: .15rem; }
section > p { margin: 0 0 .8rem; color: var(--muted); max-width: 75ch; }
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
.demands { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 0; padding: 0;
  list-style: none; }
.demands li { padding: .25rem .75rem; border-radius: 99px; border: 1px solid currentColor;
  overflow-wrap: anywhere; }
.passed { color: var(--good); }
.missed { color: var(--failed); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); width: fit-content; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .75rem; text-align: right; white-space: nowrap; font-weight: 400; }
thead th { color: var(--muted); font-size: .85rem; }
tbody tr { border-top: 1px solid var(--line); }
tbody th, th:first-child { text-align: left; }
tbody th { max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
.bar { display: inline-block; width: 64px; height: 7px; margin-left: .5rem; border-radius: 4px;
  background: var(--soft); vertical-align: middle; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
.matrix td { min-width: 2.9rem; padding: .38rem .45rem; text-align: center; color: var(--muted);
  border-left: 1px solid var(--line); }
.matrix td.some { color: var(--ink); }
.matrix td.own { font-weight: 650;
  background: color-mix(in srgb, var(--good) calc(var(--share) * 55%), transparent); }
.matrix td.other { font-weight: 600;
  background: color-mix(in srgb, var(--failed) calc(var(--share) * 60% + 8%), transparent); }
.matrix thead th { max-width: 7.5rem; overflow: hidden; text-overflow: ellipsis;
  text-align: center; vertical-align: bottom; }
.matrix thead th:first-child { text-align: left; }
.matrix tbody th { position: sticky; left: 0; background: var(--card); max-width: 9rem; }
.plots { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.plot { margin: 0; padding: .6rem .8rem .5rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); content-visibility: visible; }
.plot h3 { margin: 0 0 .3rem; font-size: 1rem; font-weight: 600; overflow-wrap: anywhere; }
.plot h3 small { color: var(--muted); font-weight: 400; }
.plot > div { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
.wide-plot { max-width: 560px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--muted); font: 9px system-ui, sans-serif; }
svg .axis { stroke: var(--line); stroke-width: 1; fill: none; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 1.8; stroke-linejoin: round; }
svg .second { stroke: var(--second); stroke-dasharray: 4 2.5; }
svg .mark { stroke: var(--good); stroke-width: 1.2; }
svg .fill { fill: var(--accent); }
svg .empty { fill: var(--soft); }
svg .ideal { stroke: var(--muted); stroke-dasharray: 3 3; fill: none; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .35rem 0 0; font-size: .85rem;
  color: var(--muted); }
.key i { display: inline-block; width: 1.3rem; margin-right: .4rem; vertical-align: middle;
  border-top: 2px solid var(--accent); }
.key .second { border-top: 2px dashed var(--second); }
.key .ideal { border-top: 2px dotted var(--muted); }
.key .swatch { height: .7rem; border: 0; border-radius: 3px; background: var(--accent); }
pre { margin: 1rem 0 0; padding: .7rem 1rem; overflow-x: auto; border: 1px solid var(--line);
  border-radius: 8px; background: var(--card); font: 13px/1.5 ui-monospace, monospace; }
pre .plus { color: var(--good); }
pre .minus { color: var(--failed); }
figcaption .why { margin-top: .15rem; font-size: .9rem; }
.box.true { border-style: dashed; border-color: #fff; box-shadow: none; outline: 1px solid #0006; }
h2 + .plots, h2 + .cards { margin-top: 0; }
h3.group { margin: 1.1rem 0 .6rem; font-size: 1rem; font-weight: 600; }
td.remark { text-align: left; color: var(--muted); }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(46%, 230px), 1fr)); }
@media (max-width: 840px) {
  th, td { padding: .34rem .5rem; }
  .scroll { font-size: .92rem; }
  .bar { width: 36px; margin-left: .35rem; }
}
@media (max-width: 520px) {
  .bar { display: none; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .cards { gap: 8px; }
  figcaption { font-size: .85rem; }
  td.remark { white-space: normal; min-width: 9rem; }
  tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
  .matrix tbody th { white-space: nowrap; min-width: 0; }
}
.better { color: var(--good); }
.worse { color: var(--failed); }
"""
