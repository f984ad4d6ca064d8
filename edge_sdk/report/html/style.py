"""How pages look: one style sheet, light, dark and on paper; no colour says what a word or a shape does not say too."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --line: #d9dde2; --ground: #ffffff; --panel: #f6f7f9;
  --blue: #2f62a8; --pale: #b9cbe4; --good: #1c6b45; --bad: #a8321f; --warn: #8a5a00; --touch: #1b1f2418; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #343a42; --ground: #14171a;
  --panel: #1c2025; --blue: #7aa7e0; --pale: #34506f; --good: #62c393; --bad: #f08a78; --warn: #dba94a;
  --touch: #ffffff22; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 2.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .35rem; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.6rem 0 .5rem; padding-top: .9rem; border-top: 1px solid var(--line);
  font-weight: 650; }
h1.part { margin-top: 4rem; padding-top: 1.2rem; border-top: 3px solid var(--line); }
h3 { font-size: .95rem; margin: 1.6rem 0 .3rem; font-weight: 650; overflow-wrap: anywhere; }
p { margin: .35rem 0 .7rem; max-width: 46rem; }
small, .soft { color: var(--soft); } small { font-size: .86em; }
.kind { color: var(--soft); font-size: .8rem; letter-spacing: .07em; text-transform: uppercase; margin: 0 0 .5rem; }
.verdict { font-weight: 600; margin: 0 0 1rem; max-width: none; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); border: 1px solid var(--line);
  border-radius: .45rem; overflow: hidden; margin: 1rem 0; }
.tiles div { padding: .6rem .8rem; margin: 0 -1px -1px 0; border: solid var(--line); border-width: 0 1px 1px 0; }
.tiles b { display: block; font-size: 1.18rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .82rem; display: block; line-height: 1.35; }
.wide { overflow-x: auto; margin: .6rem 0 1rem; background: linear-gradient(to left, var(--ground) 40%, transparent)
  right / 4rem 100% no-repeat local, linear-gradient(to left, var(--touch), transparent) right / 1.4rem no-repeat; }
table { border-collapse: collapse; font-size: .9rem; min-width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 500; } th, td { padding: .28rem 1rem .28rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.t { overflow-wrap: anywhere; min-width: 9rem; }
tr.beyond td { font-weight: 600; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .2rem 1.2rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul, ol { margin: .4rem 0; padding-left: 1.15rem; } li { margin: .3rem 0; overflow-wrap: anywhere; }
code, pre { font: .87em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--panel); border-radius: .35rem; padding: .5rem .75rem; margin: .25rem 0 .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); }
svg { display: block; width: 100%; } svg .c { fill: transparent; } svg .c:hover { fill: var(--touch); }
.ink { fill: var(--ink); } .blue { fill: var(--blue); } .pale { fill: var(--pale); } .mark { fill: var(--bad); }
.rule { stroke: var(--line); fill: none; vector-effect: non-scaling-stroke; }
.reach { stroke: var(--soft); stroke-width: 1.2; fill: none; vector-effect: non-scaling-stroke; }
.step { stroke: var(--ink); stroke-width: 1.4; fill: none; vector-effect: non-scaling-stroke; }
.dash { stroke: var(--bad); stroke-width: 1.4; stroke-dasharray: 4 3; fill: none; vector-effect: non-scaling-stroke; }
.strip { display: grid; grid-template-columns: 8.5rem 1fr; column-gap: .8rem; margin: .9rem 0 .2rem; }
.strip .names div { font-size: .78rem; line-height: 1.1; color: var(--soft); display: flex; flex-direction: column;
  justify-content: center; overflow: hidden; white-space: nowrap; }
.strip .names span { white-space: normal; }
.strip .names b { color: var(--ink); font-weight: 550; }
.axis { display: flex; justify-content: space-between; gap: .5rem; font-size: .78rem; color: var(--soft);
  text-align: center; }
.axis span:first-child, .axis span:last-child { white-space: nowrap; }
.strip .axis { grid-column: 2; }
.few { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.1rem 1.8rem;
  margin: 1rem 0; }
.few figure, .pictures figure { margin: 0; min-width: 0; }
figcaption { font-size: .84rem; line-height: 1.4; overflow-wrap: anywhere; } figcaption code { font-size: .93em; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; margin: 1rem 0; }
.pictures img { width: 100%; max-width: 9rem; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  background: var(--panel); border-radius: .3rem; display: block; margin-bottom: .3rem; }
.bar { background: var(--blue); height: .7rem; margin-top: .3rem; min-width: 1px; } td:has(.bar) { min-width: 8rem; }
.key { font-size: .8rem; color: var(--soft); display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .2rem 0 .6rem; }
.key i { display: inline-block; width: .9rem; height: .6rem; margin-right: .35rem; vertical-align: baseline; }
.key .k-pale { background: var(--pale); } .key .k-step { border-top: 1.5px solid var(--ink); height: 0;
  vertical-align: middle; } .key .k-dash { border-top: 1.5px dashed var(--bad); height: 0; vertical-align: middle; }
@media (max-width: 34rem) { body { padding: 1.4rem .9rem 3rem; } .strip { grid-template-columns: 5.6rem 1fr;
  column-gap: .5rem; } .strip .names div { font-size: .7rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .45rem; } th, td { padding-right: .7rem; } td.t { min-width: 7.5rem; }
  td.s { min-width: 0; white-space: nowrap; } td.l:not(:first-child) { min-width: 15rem; }
  th:first-child, td:first-child { position: sticky; left: 0; background: var(--ground); } }
@media print { details { display: block; } body { max-width: none; } }
"""
