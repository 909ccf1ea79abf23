"""From what was read to what is shown: pure functions that make a report's numbers, words and pictures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from promptcot.config import Curriculum, dump
from promptcot.pipeline.summary import BINS, Rejection, Summary
from promptcot.records import Example
from promptcot.report import svg
from promptcot.report.gather import Material
from promptcot.report.model import ModelPart, model_part
from promptcot.shards.manifest import HELD_OUT


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline figure."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list of bars."""

    label: str
    text: str
    picture: Markup
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for dropping, with examples of it."""

    rejection: Rejection
    share: str
    picture: Markup


@dataclass(frozen=True, slots=True)
class Chip:
    """A concept and how often it was used; `heat` is 0 (never) to 4."""

    name: str
    id: str
    count: int
    heat: int


@dataclass(frozen=True, slots=True)
class Tier:
    """A difficulty tier: its colour class, its span of difficulty, its problems."""

    number: int
    class_: str
    span: str
    count: int
    samples: list[Example]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows."""

    title: str
    lede: str
    tiles: list[Tile]
    funnel: list[Line]
    reasons: list[Reason]
    histogram: Markup
    mean_difficulty: str
    tiers: list[Tier]
    phases: list[Line]
    domains: list[Line]
    concepts: list[tuple[str, list[Chip]]]
    unused: int
    roles: list[tuple[str, ...]]
    stages: list[Line]
    model: ModelPart | None
    facts: list[tuple[str, str]]
    sources: list[tuple[str, str]]
    files: list[tuple[str, str, str, str]]
    benchmarks: list[tuple[str, str, str]]
    config: str
    names: dict[str, str]
    complete: bool


def page(material: Material) -> Page:
    """Everything a report shows of `material`."""
    summary, config = material.summary, material.config
    tiers = _tiers(material)
    classes = {tier.number: tier.class_ for tier in tiers}
    concepts = _concepts(material)
    model = model_part(material.model) if material.model else None
    return Page(
        title=material.name,
        lede=_lede(material),
        tiles=[*_tiles(material), *(Tile(*tile) for tile in (model.tiles if model else ()))],
        funnel=_funnel(summary),
        reasons=_reasons(summary),
        histogram=_histogram(summary, config.curriculum),
        mean_difficulty=f"{material.rows.difficulty / material.rows.count:.2f}"
        if material.rows.count
        else "",
        tiers=tiers,
        phases=_phases(material, classes),
        domains=_shares(summary.domains, summary.accepted),
        concepts=concepts,
        unused=sum(chip.count == 0 for _, chips in concepts for chip in chips),
        roles=_roles(summary),
        stages=_stages(summary),
        model=model,
        facts=_facts(material),
        sources=list(material.manifest.sources.items()) if material.manifest else [],
        files=_files(material),
        benchmarks=_benchmarks(material),
        config=dump(config),
        names={key: name for key, (name, _) in material.known.items()},
        complete=summary.complete,
    )


def _lede(material: Material) -> str:
    summary, config = material.summary, material.config
    author, _ = config.backend_of("author")
    models = sorted({use.model for use in summary.roles if use.role == "author" and use.model})
    by = f"{author} ({', '.join(models)})" if models and models != [author] else author
    state = "" if summary.complete else " The run is not finished: what follows is what stands so far."
    return (
        f"{summary.accepted:,} problems accepted out of {summary.asked:,} recipes, drawn from the concept "
        f"graph {config.graph} with seed {config.target.seed} and written by {by}.{state}"
    )


def _tiles(material: Material) -> list[Tile]:
    summary, rows = material.summary, material.rows
    held_out = summary.phases.get(HELD_OUT, 0)
    training = [name for name in summary.phases if name != HELD_OUT]
    tokens_in = sum(use.input_tokens for use in summary.roles)
    tokens_out = sum(use.output_tokens for use in summary.roles)
    tiles = [
        Tile(f"{summary.accepted:,}", "problems accepted", f"of {summary.target:,} asked for"),
        Tile(_percent(summary.accepted, summary.asked), "yield", f"{summary.asked:,} recipes tried"),
        Tile(
            f"{summary.accepted - held_out:,}",
            "rows to train on",
            f"in {_many(len(training), 'phase')}; {held_out:,} held out",
        ),
    ]
    if rows.count:
        used, known = len(rows.concepts), len(material.known)
        tiles.append(Tile(f"{used:,}", "concepts used", f"of {known:,} in the graph" if known else ""))
    tiles.append(Tile(svg.short(tokens_out), "tokens written", f"{svg.short(tokens_in)} tokens read"))
    total = summary.seconds.get("total", 0.0)
    if total:
        tiles.append(Tile(duration(total), "wall time", f"{summary.accepted / total:,.1f} accepted a second"))
    return tiles


def _funnel(summary: Summary) -> list[Line]:
    start = max((stage.entered for stage in summary.funnel), default=0) or 1
    return [
        Line(
            stage.name,
            f"{stage.kept:,}",
            svg.bar(
                [("fill", stage.kept / start), ("lost", (stage.entered - stage.kept) / start)],
                title=f"{stage.name}: {stage.entered:,} came in, {stage.kept:,} went on",
            ),
            f"−{stage.entered - stage.kept:,}" if stage.entered > stage.kept else "",
        )
        for stage in summary.funnel
    ]


def _reasons(summary: Summary) -> list[Reason]:
    total = sum(rejection.count for rejection in summary.rejections)
    most = max((rejection.count for rejection in summary.rejections), default=0) or 1
    return [
        Reason(r, _percent(r.count, total), svg.bar([("lost", r.count / most)])) for r in summary.rejections
    ]


def _histogram(summary: Summary, curriculum: Curriculum) -> Markup:
    if not any(summary.histogram):
        return Markup("")
    edges = [i / BINS for i in range(BINS + 1)]
    return svg.histogram(edges, summary.histogram, marks=curriculum.tiers, label="difficulty")


def _tiers(material: Material) -> list[Tier]:
    ends = [0.0, *material.config.curriculum.tiers, 1.0]
    counts = {int(tier): count for tier, count in material.summary.tiers.items()}
    made = []
    for number in range(1, len(ends)):
        shade = round(9 * (number - 1) / max(len(ends) - 2, 1))
        made.append(
            Tier(
                number,
                f"t{shade}",
                f"{ends[number - 1]:g} to {ends[number]:g}",
                counts.get(number, 0),
                material.rows.samples.get(number, []),
            )
        )
    return made


def _phases(material: Material, classes: dict[int, str]) -> list[Line]:
    phases = material.summary.phases
    most = max(phases.values(), default=0) or 1
    bands = {phase.name: phase.band for phase in material.config.curriculum.phases}
    lines = []
    for name, count in phases.items():
        tiers = material.rows.tiers.get(name)
        parts = (
            [(classes.get(tier, "fill"), tiers[tier] / most) for tier in sorted(tiers)]
            if tiers
            else [("fill", count / most)]
        )
        note = f"{bands[name][0]:g} to {bands[name][1]:g}" if name in bands else "for scoring"
        lines.append(Line(name, f"{count:,}", svg.bar(parts, title=f"{name}: {count:,}"), note))
    return lines


def _shares(counts: dict[str, int], total: int) -> list[Line]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    most = max(counts.values(), default=0) or 1
    return [
        Line(name or "(none)", f"{count:,}", svg.bar([("fill", count / most)]), _percent(count, total))
        for name, count in ranked
    ]


def _concepts(material: Material) -> list[tuple[str, list[Chip]]]:
    used = material.rows.concepts
    if not used:
        return []
    most = max(used.values())
    domains: dict[str, list[Chip]] = defaultdict(list)
    for key in sorted(used.keys() | material.known.keys()):
        name, domain = material.known.get(key, (key, ""))
        count = used[key]
        heat = 0 if count == 0 else min(4, 1 + 4 * (count - 1) // most)
        domains[domain].append(Chip(name or key, key, count, heat))
    return [
        (domain, sorted(chips, key=lambda chip: (-chip.count, chip.name)))
        for domain, chips in sorted(domains.items())
    ]


def _roles(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (
            use.role,
            use.model,
            f"{use.requests:,}",
            f"{use.input_tokens:,}",
            f"{use.output_tokens:,}",
            f"{1000 * use.latency_s:,.0f} ms" if use.latency_s < 10 else duration(use.latency_s),
        )
        for use in summary.roles
    ]


def _stages(summary: Summary) -> list[Line]:
    spent = {name: seconds for name, seconds in summary.seconds.items() if name != "total"}
    most = max(spent.values(), default=0.0) or 1.0
    return [
        Line(name, duration(seconds), svg.bar([("fill", seconds / most)])) for name, seconds in spent.items()
    ]


def _facts(material: Material) -> list[tuple[str, str]]:
    config, manifest = material.config, material.manifest
    facts = [
        ("graph", config.graph),
        ("seed", str(config.target.seed)),
        ("config fingerprint", config.fingerprint()),
        ("curriculum", f"{config.curriculum.arrange}, {config.curriculum.held_out:.0%} held out"),
        ("filters", ", ".join(chosen.rule for chosen in config.filters) or "none"),
    ]
    if manifest:
        facts.append(("written by", f"promptcot {manifest.promptcot}, pyarrow {manifest.pyarrow}"))
    return facts


def _files(material: Material) -> list[tuple[str, str, str, str]]:
    phases = material.manifest.every_phase() if material.manifest else ()
    return [
        (file.path, f"{file.rows:,}", svg.short(file.bytes), file.sha256)
        for phase in phases
        for file in phase.files
    ]


def _benchmarks(material: Material) -> list[tuple[str, str, str]]:
    certificates = material.manifest.certificates if material.manifest else {}
    files = certificates.get("contamination", {}).get("files", [])
    return [(str(file["name"]), f"{file['items']:,}", str(file["sha256"])) for file in files]


def duration(seconds: float) -> str:
    """A duration as people say it: 0.4 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
