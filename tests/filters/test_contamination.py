from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from promptcot.errors import ConfigError, ResourceError
from promptcot.filters.base import Certifying
from promptcot.filters.contamination import contamination
from promptcot.filters.words import words
from promptcot.seeding import rng

SYNONYMS = {
    "how": "tell me how", "find": "determine", "what": "which", "the": "this", "many": "numerous",
    "total": "overall", "each": "every", "compute": "evaluate", "is": "equals", "are": "were", "and": "plus",
    "if": "suppose", "per": "for each", "more": "further", "number": "count", "of": "from", "a": "one",
}  # fmt: skip


def write(path: Path, *texts: str, field: str = "problem") -> Path:
    path.write_text("".join(json.dumps({field: text}) + "\n" for text in texts), encoding="utf-8")
    return path


def paraphrase(text: str, seed: int) -> str:
    """Light changes, as a careless rewriter makes them: one word in eight replaced, a phrase put in front."""
    draw, tokens = rng(seed, "paraphrase"), text.split()
    swappable = [i for i, token in enumerate(tokens) if token.lower() in SYNONYMS]
    for index in draw.sample(swappable, min(len(swappable), max(1, len(tokens) // 8))):
        tokens[index] = SYNONYMS[tokens[index].lower()]
    return "Consider this. " + " ".join(tokens)


ITEM = (
    "Janet keeps 16 ducks in her yard. Every duck lays 3 eggs a week, and she bakes muffins with 7 of the "
    "eggs. She sells the others for 2 dollars each. How many dollars does she earn in a week?"
)


@pytest.mark.parametrize("field", ["problem", "question", "prompt"])
def test_verbatim_embedded_and_paraphrased_items_are_caught(candidate, tmp_path, field):
    rule = contamination(
        {"benchmarks": [str(write(tmp_path / "b.jsonl", "What is 1 + 1?", ITEM, field=field))]}
    )
    assert rule(candidate(ITEM.upper())).reason == "same-text"
    assert rule(candidate(f"Read carefully. {ITEM} Explain.")).reason == "shared-run"
    verdict = rule(candidate(paraphrase(ITEM, 3)))
    assert verdict.reason in ("paraphrase", "shared-run")
    assert "b.jsonl:2" in verdict.detail
    assert rule(candidate("A farmer has 16 hens and sells 3 eggs. How many are left of 40?")).keep


def test_short_items_count_with_their_numbers_alone(candidate, tmp_path):
    rule = contamination(
        {"benchmarks": [str(write(tmp_path / "b.jsonl", "What is the gcd of 12 and 18?", "2+2"))]}
    )
    assert rule(candidate("What is the gcd of 12 and 18?")).reason == "same-text"
    assert not rule(candidate("So what is the gcd of 12 and of 18?")).keep
    assert rule(candidate("What is the gcd of 12 and 20?")).keep
    assert rule(candidate("2 + 2")).reason == "same-text"
    assert rule(candidate("2")).keep


def test_the_certificate_names_files_by_content(candidate, tmp_path):
    path = write(tmp_path / "b.jsonl", ITEM, "Another one")
    rule = contamination({"benchmarks": [str(path)], "ngram": 10})
    assert isinstance(rule, Certifying)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert rule.certificate() == {
        "files": [{"name": "b.jsonl", "sha256": sha, "items": 2}],
        "ngram": 10,
        "containment": 0.75,
    }
    assert contamination({})(candidate(ITEM)).keep


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", r"b.jsonl:1: not a line of JSON"),
        (b'{"text": 1}\n', r"b.jsonl:1: no text"),
        (b"\xff\n", "b.jsonl:1"),
        (b"[" * 100_000, r"b.jsonl:1: not a line of JSON"),
    ],
)
def test_broken_files_are_named_by_line(tmp_path, content, said):
    (tmp_path / "b.jsonl").write_bytes(content)
    with pytest.raises(ResourceError, match=said):
        contamination({"benchmarks": [str(tmp_path / "b.jsonl")]})
    with pytest.raises(ResourceError, match="cannot read the benchmark file"):
        contamination({"benchmarks": [str(tmp_path / "none.jsonl")]})
    with pytest.raises(ConfigError, match="ngram"):
        contamination({"ngram": 5})


@pytest.mark.slow
def test_planted_benchmark_problems_are_caught_and_clean_ones_stay(candidate, data_dir, generated_statements):
    """20 items verbatim and 20 lightly paraphrased among 2,000 that the symbolic engine made."""
    files = sorted((data_dir / "benchmarks").glob("*.jsonl"))
    rule = contamination({"benchmarks": [str(file) for file in files]})
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [json.loads(line)["problem"] for line in lines]
    draw = rng(5, "plants")
    chosen = draw.sample([text for text in texts if len(words(text)) >= 8], 20)
    missed = [text for text in chosen if rule(candidate(text)).keep]
    missed += [text for i, text in enumerate(chosen) if rule(candidate(paraphrase(text, i))).keep]
    assert missed == []
    caught = [text for text in generated_statements(2000) if not rule(candidate(text)).keep]
    assert caught == []
