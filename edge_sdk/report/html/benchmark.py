"""A benchmark: each number with its interval and whether it may be quoted, and the conditions it was taken under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.measure.records import Benchmark, Comparison, Result, Validity
from edge_sdk.measure.schema import read_benchmark
from edge_sdk.measure.timed import Figure
from edge_sdk.report.benchmark import quotable, seen_of_machine
from edge_sdk.report.html.latency import distribution, interval, minutes, over_time, scale_of
from edge_sdk.report.html.markup import Data, Html, facts, paragraph, plural, section, short, table, text
from edge_sdk.report.html.next_steps import command, steps_html
from edge_sdk.report.html.page import Page, Verdict

_OPS = 20
_HEADS = ("what", "verdict", "p50", "p90", "p99", "mean", "queries", "init", "first run")


def benchmark_page(data: Data) -> Page:
    """Of one result file; all of it measured."""
    found = read_benchmark(data)
    others = f" and {plural(len(found.results) - 1, 'other')}" if found.results[1:] else ""
    title = f"Benchmark of {found.results[0].benchmark_name}{others}"
    words = (
        "Every number can be believed" if found.valid else "INVALID: the machine or the samples speak against numbers"
    )
    return Page("benchmark", title, Verdict("good" if found.valid else "bad", words), tuple(_sections(found)))


def _sections(found: Benchmark) -> Iterator[str]:
    yield paragraph("Latencies in ms, with 95 % intervals below them.")
    yield table(_HEADS, (_row(one, found.meta.run_mode) for one in found.results), words=(0, 1))
    yield section("Why INVALID", _reasons(found))
    yield section("Compared", _comparisons(found))
    yield section("Latency over time", _over_time(found.results))
    yield section("How latencies spread", _distributions(found.results))
    yield section("Median of each minute", "".join(_sustained(one) for one in found.results))
    yield section("Slowest ops", "".join(_ops(one) for one in found.results))
    yield section("Conditions", _conditions(found))
    yield section("What to do next", steps_html(_next(found)))
    yield section("Provenance", _provenance(found))


def _row(result: Result, run_mode: str) -> list[object]:
    run, info = result.performance_run, result.backend_info
    latency = run.latency_ms
    ran = f"ran on {info.delegate_name} on {info.accelerator_name}, {info.backend_name}"
    name = Html(f"{text(result.benchmark_name)}<br><small>{text(ran)}</small>")
    figures = [_figure(one) for one in (latency.p50, latency.p90, latency.p99, latency.mean)]
    count = Html(f"{run.measured_samples:,}<br><small>in {run.measured_duration:.1f} s</small>")
    starts = ["not timed" if value is None else f"{value:.4g}" for value in (result.init_ms, result.first_run_ms)]
    return [name, _verdict(result.validity, quotable(result, run_mode)), *figures, count, *starts]


def _reasons(found: Benchmark) -> str:
    """Each once, with what it is against."""
    against: dict[str, list[str]] = {}
    for result in found.results:
        for reason in result.validity.reasons:
            words = f"{reason.message} [{reason.rule}]"
            against.setdefault(words, []).append(result.benchmark_name)
    items = []
    for words, names in against.items():
        whom = "" if len(names) == len(found.results) else f" <small>{text('; '.join(names))}</small>"
        items.append(f"<li>{text(words)}{whom}</li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _comparisons(found: Benchmark) -> str:
    listed = found.comparisons
    if not listed:
        return ""
    ends = [end for one in listed for end in (one.ratio.low, one.ratio.high, one.ratio.value) if end is not None]
    least, most = min(*ends, 1 - listed[0].margin), max(*ends, 1 + listed[0].margin)
    note = (
        f"Median latency over that of {listed[0].base}. The band is a difference that does not matter; the line is 1."
    )
    return paragraph(note) + "".join(_comparison(one, least, most) for one in listed)


def _comparison(one: Comparison, least: float, most: float) -> str:
    words = one.verdict if one.validity.valid else f"INVALID, {one.verdict}"
    span = "" if one.ratio.low is None else f", 95 % {one.ratio.low:.3f} to {one.ratio.high:.3f}"
    head = f"{text(one.candidate)}: <b>{one.ratio.value:.3f}</b>{span} · {_verdict(one.validity, words)}"
    return f"<p>{head}</p>{interval(one.ratio, one.margin, least, most, words)}"


def _over_time(results: Sequence[Result]) -> str:
    scale = scale_of([value for one in results for value in one.performance_run.trace_ms])
    if scale is None:
        return ""
    note = f"Each dot is a query, from {scale[0]:.4g} to {scale[1]:.4g} ms, upwards by factors."
    made = (_heading(one) + over_time(one.performance_run, scale) for one in results if one.performance_run.trace_ms)
    return paragraph(note) + "".join(made)


def _distributions(results: Sequence[Result]) -> str:
    scale = scale_of([value for one in results for value in one.performance_run.trace_ms])
    if scale is None:
        return ""
    made = (_heading(one) + distribution(one.performance_run, scale) for one in results if one.performance_run.trace_ms)
    return paragraph("Dashed: p50, p90 and p99, where there are queries enough.") + "".join(made)


def _sustained(result: Result) -> str:
    if result.sustained is None:
        return ""
    ratio = result.sustained.last_to_first
    words = f"The last minute's median is {ratio.value:.3f} of the first's."
    rows = [(one.minute, one.queries, _figure(one.p50_ms)) for one in result.sustained.minutes]
    shown = table(("minute", "queries", "p50, ms"), rows, words=())
    return _heading(result) + paragraph(words) + minutes(result.sustained) + shown


def _ops(result: Result) -> str:
    profile = result.op_profile
    if profile is None:
        return ""
    ranked = sorted(profile.ops, key=lambda op: -op.mean_ms)
    rows: list[tuple[object, ...]] = [
        (op.name, _bar(op.share), f"{op.share:.1%}", f"{op.mean_ms:.4g}") for op in ranked[:_OPS]
    ]
    if ranked[_OPS:]:
        rest = ranked[_OPS:]
        sums = sum(op.share for op in rest), sum(op.mean_ms for op in rest)
        rows.append((f"{len(rest)} others", _bar(sums[0]), f"{sums[0]:.1%}", f"{sums[1]:.4g}"))
    note = f"By {profile.source}, {profile.runs} runs of their own."
    return _heading(result) + paragraph(note) + table(("op", "", "share", "ms"), rows, words=(0, 1))


def _bar(share: float) -> Html:
    return Html(f'<div class="bar" style="width:{max(share * 100, 0.5):.1f}%"></div>')


def _conditions(found: Benchmark) -> str:
    looks = f"{len(found.conditions.during) + 2} looks at the machine."
    return paragraph(looks) + facts(seen_of_machine(found.conditions))


def _next(found: Benchmark) -> Iterator[tuple[str, str]]:
    paths = list(dict.fromkeys(one.backend_settings.model_path for one in found.results))
    rules = dict.fromkeys(reason.rule for one in found.results for reason in one.validity.reasons)
    if rules:
        yield (
            "Measure again when the machine is still; the reasons above say what disturbed it.",
            command("benchmark", *paths),
        )
    if found.meta.run_mode != "quotable":
        yield (
            "Take numbers that may be quoted: 1,024 queries and 60 s.",
            command("benchmark", *paths, "-o", "result.json"),
        )
    if found.results[0].op_profile is None:
        yield "See which ops take the time.", command("benchmark", *paths, "--quick", "--ops")
    yield "See whether it drifts when the device is warm.", command("benchmark", paths[0], "--sustained", "30")


def _provenance(found: Benchmark) -> str:
    here, built = found.environment_info, found.build_info
    cpu = here.proc_cpuinfo_soc_name or here.arch
    models = [(one.benchmark_name, f"SHA-256 {one.backend_settings.model_sha256}") for one in found.results]
    return facts(
        [
            ("machine", f"{here.model_name}, {cpu}, {here.cpus} CPUs, {here.os_version}"),
            ("measured by", f"{built.app} {built.version}"),
            ("run", f"{found.meta.run_mode}, ended {found.meta.creation_date}"),
            *models,
        ]
    )


def _heading(result: Result) -> str:
    mark = "" if result.validity.valid else ' <span class="bad">INVALID</span>'
    return f"<h3>{text(short(result.benchmark_name))}{mark}</h3>"


def _verdict(validity: Validity, words: str) -> Html:
    kind, mark = ("good", "✓") if validity.valid else ("bad", "✗")
    return Html(f'<span class="{kind}">{mark} {text(words)}</span>')


def _figure(figure: Figure | None) -> Html:
    if figure is None:
        return Html("too few")
    if figure.low is None or figure.high is None:
        return Html(f"{figure.value:.4g}")
    return Html(f"{figure.value:.4g}<br><small>{figure.low:.4g} to {figure.high:.4g}</small>")
