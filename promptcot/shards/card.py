"""The dataset card: a README.md that tells people what the data are, and `datasets` where they lie."""

from __future__ import annotations

import hashlib

import yaml

from promptcot.shards.manifest import HELD_OUT, Manifest, PhaseFiles

NAME = "README.md"


def card(manifest: Manifest) -> str:
    """The card of a run: YAML front matter with a configuration for each phase, then prose and tables."""
    front = yaml.safe_dump(_front_matter(manifest), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{front}---",
        _introduction(manifest),
        _phases(manifest),
        _columns(),
        _making(manifest),
        _contamination(manifest),
        _reproducing(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(manifest: Manifest) -> dict[str, object]:
    return {
        "pretty_name": f"{manifest.graph} problems",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "reasoning", "curriculum", "promptcot"],
        "size_categories": [_size(manifest.accepted)],
        # A phase without rows has no file, and `datasets` cannot load a split of nothing.
        "configs": [_configuration(phase, index) for index, phase in enumerate(_filled(manifest))],
    }


def _filled(manifest: Manifest) -> list[PhaseFiles]:
    return [phase for phase in manifest.every_phase() if phase.rows]


def _configuration(phase: PhaseFiles, index: int) -> dict[str, object]:
    entry: dict[str, object] = {
        "config_name": phase.name,
        "data_files": [{"split": _split(phase), "path": f"data/{phase.name}/part-*.parquet"}],
        # `datasets` caches by the folder's name and by what stands here: without the content's hash, another
        # run in a folder of the same name would be answered with the rows of the first.
        "description": f"{phase.rows} rows, content {_content(phase)}",
    }
    return entry | ({"default": True} if index == 0 else {})


def _content(phase: PhaseFiles) -> str:
    """Hash of the hashes of a phase's files."""
    return hashlib.sha256("".join(file.sha256 for file in phase.files).encode()).hexdigest()[:32]


def _split(phase: PhaseFiles) -> str:
    return "test" if phase.name == HELD_OUT else "train"


def _size(rows: int) -> str:
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B"]
    return next((name for power, name in enumerate(names, 3) if rows < 10**power), "1B<n<10B")


def _introduction(manifest: Manifest) -> str:
    first = next(iter(_filled(manifest)), manifest.held_out)
    return (
        f"# {manifest.accepted:,} problems from the concept graph `{_plain(manifest.graph)}`\n\n"
        "Each row is a problem with a worked solution and an answer that was checked, its measured\n"
        "difficulty, and its place in a curriculum. Made with promptcot.\n\n"
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("path/to/this/folder", "{first.name}", split="{_split(first)}")\n```'
    )


def _phases(manifest: Manifest) -> str:
    rows = [(phase.name, "train", phase.rows) for phase in manifest.phases]
    rows.append((HELD_OUT, "test", manifest.held_out.rows))
    lines = [f"| `{name}` | {split} | {count:,} |" for name, split, count in rows]
    tiers = ", ".join(f"tier {tier}: {count:,}" for tier, count in manifest.tiers.items())
    domains = ", ".join(f"{_plain(name) or 'none'}: {count:,}" for name, count in manifest.domains.items())
    return (
        "## Phases\n\n| configuration | split | rows |\n|---|---|---:|\n"
        + "\n".join(lines)
        + f"\n\nDifficulty: {tiers}.  \nDomains: {domains}."
    )


def _columns() -> str:
    return (
        "## Columns\n\n"
        "`id` names the problem; `prompt` is what a model is given and `completion` what it is to produce;\n"
        "`answer` is the bare final answer, compared as `answer_kind` says (`code` by running `tests`).\n"
        "`difficulty` runs from 0 to 1, `tier` from 1 up, `phase` is the configuration; `measures` holds\n"
        "what the difficulty was computed from. `concepts`, `domain` and `level` are what the problem was\n"
        "asked to be made of, `rationale` is the plan its author gave, `structure` is equal for problems\n"
        "that differ in numbers and words alone, `author` is the model and `recipe` the recipe it came from."
    )


def _making(manifest: Manifest) -> str:
    stages = [f"| {stage.name} | {stage.entered:,} | {stage.kept:,} |" for stage in manifest.funnel]
    reasons = [
        f"- {row.stage}: {_plain(row.reason)} ({row.count:,})" for row in manifest.rejections if row.count
    ]
    dropped = "\n\nWhat was dropped, and why:\n\n" + "\n".join(reasons) if reasons else ""
    return (
        f"## How it was made\n\n{manifest.asked:,} recipes were asked for, {manifest.accepted:,} problems "
        "were accepted.\n\n| stage | entered | kept |\n|---|---:|---:|\n" + "\n".join(stages) + dropped
    )


def _contamination(manifest: Manifest) -> str:
    certificate = manifest.certificates.get("contamination")
    if certificate is None:
        return "## Contamination\n\nNot checked against any benchmark."
    files = certificate.get("files", [])
    if not files:
        return "## Contamination\n\nNot checked: no benchmark files were given."
    lines = [f"| {_plain(f['name'])} | {f['items']:,} | `{f['sha256']}` |" for f in files]
    dropped = certificate.get("dropped", {})
    what = ", ".join(f"{_plain(name)}: {count:,}" for name, count in dropped.items()) or "nothing"
    return (
        f"## Contamination\n\nChecked by overlaps of {certificate['ngram']} words and by fuzzy containment\n"
        f"({certificate['containment']:g} of a benchmark item's text) against these files. "
        f"Dropped: {what}.\n\n"
        "| file | items | sha256 |\n|---|---:|---|\n" + "\n".join(lines)
    )


def _reproducing(manifest: Manifest) -> str:
    sources = [f"- {_plain(name)}: `{_plain(value)}`" for name, value in manifest.sources.items()]
    return (
        f"## Made with\n\npromptcot {manifest.promptcot}, seed {manifest.seed}, "
        f"config `{manifest.config}`:\n\n" + "\n".join(sources)
    )


def _plain(text: str) -> str:
    """Text of a stranger's as one line that means nothing to Markdown or HTML."""
    return "".join(c if c.isalnum() or c in " .,:;_-+=()#@" else "/" if c in "/\\" else "?" for c in text)
