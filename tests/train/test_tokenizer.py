from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.errors import CheckpointError
from promptcot.ssd.hf import SpecialTokens
from promptcot.train.tokenizer import Codec, train_codec

TEXTS = [
    "a = 13 + 5 ; b = max a 14 ; b ?\n",
    "a = 18\nb = 18\n\\boxed{18}",
    "The red jar holds 12 marbles.",
] * 3


@pytest.fixture(scope="module")
def codec() -> Codec:
    return train_codec(TEXTS, vocab_size=400)


@given(text=st.text(max_size=60))
def test_any_text_comes_back(codec: Codec, text: str) -> None:
    assert codec.decode(codec.completions([text])[0]) == text
    assert codec.decode(codec.prompt(text)) == text + "\n"


@given(number=st.integers(0, 10**12))
def test_digits_stand_alone_wherever_they_stand(codec: Codec, number: int) -> None:
    alone = codec.completions([str(number)])[0][:-1]
    assert len(alone) == len(str(number))
    for text in (f"a = {number} + 5", f"\\boxed{{{number}}}", f"b{number}"):
        inside = codec.completions([text])[0]
        places = range(len(inside) - len(alone) + 1)
        assert any(inside[place : place + len(alone)] == alone for place in places)


def test_frequent_pieces_are_one_token(codec: Codec) -> None:
    assert len(codec.prompt("a = 1 ; b ?")) == len(["a", " = ", "1", " ; ", "b", " ?\n"])


def test_text_that_spells_the_end_token_stays_text(codec: Codec) -> None:
    (tokens,) = codec.completions(["<|end|>"])
    assert tokens.count(codec.eos) == 1
    assert codec.decode(tokens) == "<|end|>"
    assert codec.eos not in codec.prompt("<|end|>")


def test_equal_texts_give_an_equal_tokenizer_in_any_process(codec: Codec) -> None:
    program = (
        "import json, sys\nfrom promptcot.train.tokenizer import train_codec\n"
        "print(json.dumps(train_codec(json.load(sys.stdin), vocab_size=400).files()))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(TEXTS),
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == codec.files()


def test_a_folder_gives_it_back(codec: Codec, tmp_path: Path) -> None:
    for name, text in codec.files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = Codec.load(tmp_path, codec.special)
    assert loaded.files() == codec.files()
    assert loaded.prompt(TEXTS[0]) == codec.prompt(TEXTS[0])


@pytest.mark.filterwarnings("ignore")
def test_transformers_reads_it_and_its_chat_template_writes_the_same(codec: Codec, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    for name, text in codec.files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.eos_token_id == codec.eos
    chat = [{"role": "user", "content": "a = 1 ; a ?"}, {"role": "assistant", "content": "a = 1"}]
    ids = theirs.apply_chat_template(chat, tokenize=True, return_dict=False)
    assert ids == codec.prompt("a = 1 ; a ?") + codec.completions(["a = 1"])[0]


def test_what_is_no_tokenizer_is_refused(codec: Codec, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no tokenizer\.json"):
        Codec.load(tmp_path, codec.special)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a tokenizer"):
        Codec.load(tmp_path, codec.special)
    (tmp_path / "tokenizer.json").write_text(codec.files()["tokenizer.json"])
    with pytest.raises(CheckpointError, match="no end token"):
        Codec.load(tmp_path, SpecialTokens(None, None, None))
