"""A benchmark as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from edge_sdk.files import write_bytes
from edge_sdk.measure.records import Benchmark, Comparison, Result, Validity
from edge_sdk.measure.timed import Figure
from edge_sdk.report.benchmark import condition_lines, quotable
from edge_sdk.report.benchmark_pictures import Picture

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8886; vertical-align: top; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.valid { color: #00734d; font-weight: 600; } .invalid { color: #b3261e; font-weight: 600; }
@media (prefers-color-scheme: dark) { .valid { color: #4cc38a; } .invalid { color: #ff8a80; } }
figure { margin: 1.5rem 0; background: #fff; border-radius: .4rem; padding: .5rem; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; }
ul { margin: 0; padding-left: 1.1rem; }
"""


def write_page(benchmark: Benchmark, pictures: Sequence[Picture], path: Path) -> None:
    """Writes the page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(path, page(benchmark, pictures).encode())


def page(benchmark: Benchmark, pictures: Sequence[Picture]) -> str:
    """The page as text."""
    title = f"Benchmark of {benchmark.results[0].benchmark_name}" + (
        " and others" if len(benchmark.results) > 1 else ""
    )
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_where(benchmark))}</p>",
        *_results(benchmark),
        *_comparisons(benchmark.comparisons),
        *(_figure(one) for one in pictures),
        "<h2>Conditions</h2><ul>",
        *(f"<li>{escape(line)}</li>" for line in condition_lines(benchmark.conditions)),
        "</ul></body></html>",
    ]
    return "\n".join(parts)


def _where(benchmark: Benchmark) -> str:
    here, built = benchmark.environment_info, benchmark.build_info
    cpu = here.proc_cpuinfo_soc_name or here.arch
    run = f"{benchmark.meta.run_mode} run that ended {benchmark.meta.creation_date}"
    return (
        f"Measured on {here.model_name}, {cpu}, {here.cpus} CPUs, {here.os_version}, by {built.app} {built.version}; "
        f"{run}. Latencies in ms, with 95 % intervals."
    )


def _results(benchmark: Benchmark) -> Iterator[str]:
    heads = ("what", "verdict", "p50", "p90", "p99", "mean", "queries", "init", "first run")
    yield "<h2>Results</h2><table><thead><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr></thead><tbody>"
    for result in benchmark.results:
        yield f"<tr>{''.join(_cells(result, benchmark.meta.run_mode))}</tr>"
    yield "</tbody></table>"
    yield from _reasons(benchmark)


def _reasons(benchmark: Benchmark) -> Iterator[str]:
    """Each once, with what it is against."""
    against: dict[str, list[str]] = {}
    for result in benchmark.results:
        for reason in result.validity.reasons:
            against.setdefault(reason.message, []).append(result.benchmark_name)
    if against:
        yield '<h2 class="invalid">Why INVALID</h2><ul>'
        for message, names in against.items():
            whom = "" if len(names) == len(benchmark.results) else f" <small>({escape('; '.join(names))})</small>"
            yield f"<li>{escape(message)}{whom}</li>"
        yield "</ul>"


def _cells(result: Result, run_mode: str) -> Iterator[str]:
    run, info = result.performance_run, result.backend_info
    latency = run.latency_ms
    ran = escape(f"{info.delegate_name} on {info.accelerator_name}, {info.backend_name}")
    yield f"<td>{escape(result.benchmark_name)}<br><small>ran on {ran}</small></td>"
    yield f"<td>{_verdict(result.validity, quotable(result, run_mode))}</td>"
    for figure in (latency.p50, latency.p90, latency.p99, latency.mean):
        yield f'<td class="number">{_figure_text(figure)}</td>'
    yield f'<td class="number">{run.measured_samples:,} in {run.measured_duration:.1f} s</td>'
    for value in (result.init_ms, result.first_run_ms):
        yield f'<td class="number">{"not timed" if value is None else f"{value:.4g}"}</td>'


def _comparisons(listed: Sequence[Comparison]) -> Iterator[str]:
    if not listed:
        return
    heads = "".join(f"<th>{head}</th>" for head in ("what", "against", "ratio", "verdict"))
    yield f"<h2>Compared</h2><table><thead><tr>{heads}</tr></thead><tbody>"
    for one in listed:
        yield (
            f"<tr><td>{escape(one.candidate)}</td><td>{escape(one.base)}</td>"
            f'<td class="number">{_figure_text(one.ratio)}</td>'
            f"<td>{_verdict(one.validity, one.verdict if one.validity.valid else f'INVALID, {one.verdict}')}</td></tr>"
        )
    yield "</tbody></table>"


def _verdict(validity: Validity, words: str) -> str:
    return f'<span class="{"valid" if validity.valid else "invalid"}">{escape(words)}</span>'


def _figure_text(figure: Figure | None) -> str:
    if figure is None:
        return "too few"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    return f"{figure.value:.4g}<br><small>{figure.low:.4g} to {figure.high:.4g}</small>"


def _figure(picture: Picture) -> str:
    """The SVG inside the page: its prologue goes, and its ids get the picture's name, for ids are the page's."""
    svg = picture.svg[picture.svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{picture.name}-', svg)
    svg = re.sub(r'(xlink:href="|href="|url\()#', rf"\1#{picture.name}-", svg)
    label = escape(picture.title, quote=True)
    return f'<figure role="img" aria-label="{label}">{svg}</figure>'
