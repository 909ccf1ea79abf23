"""Text to tokens and back: a Hugging Face ``tokenizer.json``, trained on the shards or taken from a model.

A trained one is a byte-level BPE, so that it can say everything, over pieces in which every digit and
every single letter stands alone: numbers and names are then written in one way wherever they stand. A space
belongs to the word or mark before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from promptcot.errors import CheckpointError
from promptcot.ssd.hf import SpecialTokens

__all__ = ["Codec", "train_codec"]

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
_END, _PAD = "<|end|>", "<|pad|>"
_PIECES = r"\p{N}| ?\p{L}{2,} ?|\p{L}|[^\p{L}\p{N}]+"
# What Codec.prompt and Codec.completion write, for whoever serves the model.
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\n' }}{% endif %}{% endfor %}"
)


class Codec:
    """A tokenizer and the format of a document: the prompt, a new line, the completion, the end token.

    Args:
        tokenizer: Any Hugging Face tokenizer.
        special: Ids of its special tokens; there must be an end token.
        settings: Content of its ``tokenizer_config.json``.
    """

    def __init__(self, tokenizer: Any, special: SpecialTokens, settings: dict[str, Any]) -> None:
        if special.eos is None:
            raise CheckpointError("the tokenizer has no end token", remedy="set eos_token_id in config.json")
        # Text that spells a special token stays text: data must not end a document by saying so.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._settings = settings
        self.special = special
        self.eos: int = special.eos

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self._tokenizer.get_vocab_size())

    def prompt(self, text: str) -> list[int]:
        """Tokens of a prompt, up to where its completion begins."""
        return self.prompts([text])[0]

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of many prompts."""
        start = [] if self.special.bos in (None, self.eos) else [self.special.bos]
        encoded = self._tokenizer.encode_batch([f"{text}\n" for text in texts], add_special_tokens=False)
        return [start + each.ids for each in encoded]

    def completions(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of completions, each with the end token."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[*each.ids, self.eos] for each in encoded]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens, without the special ones."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def files(self) -> dict[str, str]:
        """Name to text of the files that hold it."""
        return {
            TOKENIZER: self._tokenizer.to_str(pretty=True) + "\n",
            TOKENIZER_CONFIG: json.dumps(self._settings, indent=2) + "\n",
        }

    @staticmethod
    def load(folder: Path, special: SpecialTokens) -> Codec:
        """Reads the tokenizer of a model folder.

        Raises:
            CheckpointError: There is none, or it cannot be read.
        """
        path, settings_path = folder / TOKENIZER, folder / TOKENIZER_CONFIG
        try:
            text = path.read_text(encoding="utf-8")
            settings = json.loads(settings_path.read_text(encoding="utf-8")) if settings_path.exists() else {}
        except FileNotFoundError as error:
            raise CheckpointError(f"{folder}: no {TOKENIZER}", remedy="add the model's own") from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot read the tokenizer of {folder}: {error}") from error
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"{path}: not a tokenizer: {error}") from error
        return Codec(tokenizer, special, settings)


def train_codec(texts: Iterable[str], *, vocab_size: int) -> Codec:
    """Trains a tokenizer. The same texts give the same tokenizer.

    Args:
        texts: What to learn the pieces of, such as all prompts and completions.
        vocab_size: Most tokens; 258 of them are the bytes and the special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[_END, _PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": _END,
        "pad_token": _PAD,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1 << 20,
        "chat_template": _CHAT_TEMPLATE,
    }
    special = SpecialTokens(None, tokenizer.token_to_id(_END), tokenizer.token_to_id(_PAD))
    return Codec(tokenizer, special, settings)
