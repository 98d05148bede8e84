"""Samples into the words and tables of docs/benchmarks.md."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median, quantiles

from bench.cases import LARGEST, MEMORY_TARGET, UPDATEKEYS, VERSION
from bench.compare import Pair, Result
from bench.imports import ALL, INTERPRETER, SOPS, THIRD_PARTY
from bench.measure import Sample

_NONE = "-"
_NOISE_S = 0.005  # work of sops below this is lost in the noise of the start-ups
_KIB = 1024

Samples = Mapping[str, tuple[Sample, ...]]


def render_times(results: Iterable[Result]) -> str:
    return _table(
        (
            "document",
            "operation",
            "nixsecrets",
            "sops",
            "whole process, ratio",
            "target",
            "",
            "work alone, ratio",
        ),
        [_time_row(result) for result in results],
    )


def render_memory(results: Iterable[Result], size: int) -> str:
    """`size` is the largest document's, in bytes."""
    rows = [
        (
            result.case.operation.name,
            *_memory_of([(pair.ours, start.ours) for pair, start in _both(result)], size),
            f"≤ {MEMORY_TARGET:.0f}",
            _verdict(_peak(pair.ours for pair in result.whole) / size, MEMORY_TARGET),
            *_memory_of([(pair.sops, start.sops) for pair, start in _both(result)], size),
        )
        for result in results
        if result.case.document == LARGEST and result.case.operation != UPDATEKEYS
    ]
    head = ("operation", "nixsecrets, whole process", "growth", "target", "")
    return _table((*head, "sops, whole process", "growth"), rows) if rows else ""


def render_fleet(samples: Samples) -> str:
    if not samples:
        return ""
    (ours, *_), walls = samples, {name: _walls(taken) for name, taken in samples.items()}
    rows = [
        (
            name,
            f"{median(walls[name]):.2f} s",
            _NONE if name == ours else _spread(walls[ours], walls[name]),
        )
        for name in samples
    ]
    return _table(("updatekeys of 1,000 documents", "wall", "nixsecrets to this, ratio"), rows)


def render_imports(samples: Samples) -> str:
    if not samples:
        return ""
    walls = {name: median(_walls(taken)) for name, taken in samples.items()}
    base = walls[INTERPRETER]
    rows = [
        (name, _ms(wall), _NONE if name in (SOPS, INTERPRETER) else _ms(wall - base))
        for name, wall in walls.items()
    ]
    rows.append(("ours alone, of that", _NONE, _ms(walls[ALL] - walls[THIRD_PARTY])))
    return _table(("process", "wall", "over the interpreter"), rows)


def _time_row(result: Result) -> tuple[str, ...]:
    target = result.case.target
    ours, sops = _walls(pair.ours for pair in result.whole), _walls(p.sops for p in result.whole)
    whole = median(_ratios(ours, sops))
    no_document = result.case.operation == VERSION
    return (
        "none" if no_document else result.case.document.title,
        result.case.operation.name,
        _ms(median(ours)),
        _ms(median(sops)),
        _spread(ours, sops),
        _NONE if target is None else f"≤ {target}",
        _NONE if target is None else _verdict(whole, target),
        _NONE if no_document else _work(result),
    )


def _work(result: Result) -> str:
    ours = median(pair.ours.wall_s - start.ours.wall_s for pair, start in _both(result))
    sops = median(pair.sops.wall_s - start.sops.wall_s for pair, start in _both(result))
    return _NONE if sops < _NOISE_S else f"{max(ours, 0) / sops:.2f}"


def _memory_of(samples: Sequence[tuple[Sample, Sample]], size: int) -> tuple[str, str]:
    whole = _peak(sample for sample, _ in samples)
    growth = whole - _peak(start for _, start in samples)
    return f"{whole / _KIB / _KIB:.0f} MiB, {whole / size:.1f} times", f"{growth / size:.1f} times"


def _both(result: Result) -> Iterable[tuple[Pair, Pair]]:
    return zip(result.whole, result.least, strict=True)


def _peak(samples: Iterable[Sample]) -> float:
    return median(sample.peak_kib for sample in samples) * _KIB


def _walls(samples: Iterable[Sample]) -> list[float]:
    return [sample.wall_s for sample in samples]


def _ratios(ours: Sequence[float], sops: Sequence[float]) -> list[float]:
    return [mine / theirs for mine, theirs in zip(ours, sops, strict=True)]


def _spread(ours: Sequence[float], sops: Sequence[float]) -> str:
    """The median of the paired ratios, and between which half of them lie."""
    ratios = _ratios(ours, sops)
    low, _, high = quantiles(ratios, method="inclusive") if len(ratios) > 1 else ratios * 3
    return f"**{median(ratios):.2f}** ({low:.2f} to {high:.2f})"


def _verdict(found: float, target: float) -> str:
    return "met" if found <= target else "not met"


def _ms(wall_s: float) -> str:
    return f"{wall_s * 1000:.1f} ms"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
