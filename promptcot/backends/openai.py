"""A client of any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama.cpp, hosted ones.

One session, one loop of retries, and nothing believed: an answer is bounded in bytes and in
time, must be JSON of the right shape with text in it, and is never fetched from where a
redirect points, so that a key reaches no host but the one it was given for.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from promptcot import config
from promptcot.errors import BackendError, ConfigError, ResourceError
from promptcot.records import Completion, Prompt
from promptcot.resources import read_text
from promptcot.seeding import fingerprint, rng

if TYPE_CHECKING:
    import aiohttp

_TRANSIENT = frozenset({408, 409, 425, 429})
_RESERVED = ("model", "messages", "stream", "n", "seed")
_REMEDIES = {
    401: "check the key that api_key_env names",
    403: "check the key that api_key_env names",
    404: "check base_url and model",
    400: "check the options, and that the prompt fits the model's context",
    413: "shorten the prompt",
    422: "check the options",
}


class OpenAISettings(config.Settings):
    """Options of a backend of kind ``openai``.

    Attributes:
        base_url: Address of the API, such as ``http://localhost:8000/v1``.
        api_key_env: Environment variable that holds the key, or `api_key_file` the file. A config
            never holds the key itself: it is written into the run folder.
        seed: Whether the server takes a seed.
        extra_body: More fields of the request, passed through as they are.
        timeout_s: Seconds that one request may take in all, its answer included.
        attempts: How often a prompt is tried before it is given up.
        max_wait_s: Longest pause between tries, whatever the server asks for.
        max_bytes: Largest answer that is read.
    """

    base_url: str
    model: str = Field(min_length=1)
    api_key_env: str = ""
    api_key_file: Path | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    seed: bool = True
    extra_body: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(600.0, gt=0, le=86_400)
    attempts: int = Field(6, ge=1, le=100)
    max_wait_s: float = Field(60.0, ge=0, le=3_600)
    max_bytes: int = Field(8 << 20, ge=1 << 10, le=1 << 30)

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address without user, password, query and fragment (keys go to api_key_env)")
        return value.rstrip("/")

    @field_validator("extra_body")
    @classmethod
    def _nothing_reserved(cls, value: dict[str, Any]) -> dict[str, Any]:
        taken = [key for key in _RESERVED if key in value]
        if taken:
            raise ValueError(f"{taken[0]} is set by promptcot")
        return value

    @model_validator(mode="after")
    def _one_key(self) -> OpenAISettings:
        if self.api_key_env and self.api_key_file:
            raise ValueError("give api_key_env or api_key_file, not both")
        return self


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None  # for information alone: whatever stands there, the answer counts


class _Busy(BackendError):
    """A refusal for now, with the pause that the server asks for."""

    def __init__(self, message: str, *, status: int, wait_s: float) -> None:
        super().__init__(message, retryable=True, status=status)
        self.wait_s = wait_s


def open_openai(name: str, options: Mapping[str, Any], execution: config.Execution) -> OpenAIBackend:
    """The entry point ``openai`` of ``promptcot.backends``."""
    settings = config.validate(OpenAISettings, options, where=f"backends.{name}")
    return OpenAIBackend(name, settings, concurrency=execution.concurrency)


class OpenAIBackend:
    """A `promptcot.backends.base.Backend` over HTTP.

    Args:
        name: Its name in the config.
        concurrency: Requests in flight at once; further ones wait for their turn.

    Raises:
        ConfigError: The key's environment variable is not set, or the key is not one.
    """

    def __init__(self, name: str, settings: OpenAISettings, *, concurrency: int) -> None:
        self.name = name
        self.model = settings.model
        self.identity = _identity(settings)
        self._settings = settings
        self._url = f"{settings.base_url}/chat/completions"
        self._key = _key(name, settings)
        self._concurrency = concurrency
        self._turns = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        # Retries are logged there; without any handler, Python would print them over the display.
        logging.getLogger("stamina").addHandler(_QUIET)

    def __repr__(self) -> str:
        return f"OpenAIBackend({self.name!r}, {self._url!r}, {self.model!r})"

    async def complete(self, prompt: Prompt) -> Completion:
        """Answers one prompt (see `Backend`). The model's reasoning, where the server gives it
        apart, comes first in the text, inside ``<think>``.

        Raises:
            BackendError: No usable answer after `attempts` tries, or one that trying again would
                not mend.
        """
        import stamina

        settings = self._settings
        body = msgspec.json.encode(_body(settings, prompt))

        def again(error: Exception) -> bool | float:
            if isinstance(error, _Busy) and error.wait_s > 0:
                spread = rng(prompt.seed, "retry", prompt.id).random()  # so that all do not return at once
                return min(error.wait_s, settings.max_wait_s) * (1 + spread / 4)
            return isinstance(error, BackendError) and error.retryable

        async with self._turns:
            async for attempt in stamina.retry_context(
                on=again,
                attempts=settings.attempts,
                timeout=None,
                wait_initial=min(0.5, settings.max_wait_s),
                wait_max=settings.max_wait_s,
                wait_jitter=min(1.0, settings.max_wait_s),
            ):
                with attempt:
                    start = time.monotonic()
                    raw = await self._ask(body)
                    return self._read(prompt, raw, time.monotonic() - start)
        raise AssertionError("the loop of retries returns or raises")

    async def close(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, body: bytes) -> bytes:
        """One request.

        Raises:
            BackendError: There is no answer with status 200 within the limits.
        """
        import aiohttp

        if self._session is None:
            self._session = self._open()
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                self._session.post(
                    self._url, data=body, headers=self._headers(), allow_redirects=False
                ) as response,
            ):
                raw = await self._bounded(response)
                if response.status != 200:
                    raise self._refusal(response, raw)
                return raw
        except aiohttp.ServerTimeoutError as error:
            raise self._error(
                "no connection in time", remedy="check that the server runs", retryable=True
            ) from error
        except TimeoutError as error:
            raise self._error(f"no answer within {self._settings.timeout_s:g} s", retryable=True) from error
        except aiohttp.ClientSSLError as error:
            raise self._error(f"no secure connection: {error}", remedy="check the address") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise self._error("not an address that can be asked", remedy="check base_url") from error
        except (aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise self._error(what, remedy="check that the server runs", retryable=True) from error

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(30.0, self._settings.timeout_s)),
            # A few compressed bytes can stand for gigabytes: ask for none, and unpack none.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        return {"Authorization": f"Bearer {key}"} if key else {}

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.max_bytes
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(1 << 16):
            size += len(part)
            if size > limit:
                response.close()
                raise self._error(
                    f"an answer of more than {limit:,} bytes", remedy="lower max_tokens or raise max_bytes"
                )
            parts.append(part)
        return b"".join(parts)

    def _refusal(self, response: aiohttp.ClientResponse, raw: bytes) -> BackendError:
        """The error that a status other than 200 stands for."""
        status = response.status
        if 300 <= status < 400:
            return self._error(
                f"HTTP {status}: a redirect, which is not followed",
                remedy="give the final base_url",
                status=status,
            )
        said = " ".join(raw[:2000].decode("utf-8", "replace").split())[:200]
        key = self._key.get_secret_value()
        said = said.replace(key, "***") if key else said
        message = f"HTTP {status}" + (f": {said}" if said else "")
        if status in _TRANSIENT or status >= 500:
            wait_s = retry_after(response.headers.get("Retry-After"), now=time.time())
            return _Busy(self._where(message), status=status, wait_s=wait_s)
        return self._error(message, remedy=_REMEDIES.get(status, ""), status=status)

    def _read(self, prompt: Prompt, raw: bytes, latency_s: float) -> Completion:
        """A completion from an answer with status 200.

        Raises:
            BackendError: It is not the JSON of a chat completion with text in it.
        """
        try:
            reply = msgspec.json.decode(raw, type=_Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            said = raw[:60].decode("utf-8", "replace")
            raise self._error(f"not a chat completion ({error}): {said!r}", retryable=True) from error
        if not reply.choices:
            raise self._error("an answer without choices", retryable=True)
        choice = reply.choices[0]
        text, finish_reason = _text(choice)
        if text is None:
            raise self._error("an answer without content", retryable=True)
        return Completion(
            prompt_id=prompt.id,
            text=text,
            finish_reason=finish_reason,
            input_tokens=_count(reply.usage, "prompt_tokens"),
            output_tokens=_count(reply.usage, "completion_tokens"),
            backend=self.name,
            model=self.model,
            latency_s=latency_s,
        )

    def _error(
        self, what: str, *, remedy: str = "", retryable: bool = False, status: int | None = None
    ) -> BackendError:
        return BackendError(self._where(what), remedy=remedy, retryable=retryable, status=status)

    def _where(self, what: str) -> str:
        return f"backend {self.name!r} at {self._settings.base_url}: {what}"


def retry_after(value: str | None, *, now: float) -> float:
    """Seconds that a ``Retry-After`` header asks for: a number of them, or a date; 0 where it is neither.

    Args:
        now: Seconds since the epoch, for a date.
    """
    if not value or len(value) > 64:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError, TypeError):
            return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0


_QUIET = logging.NullHandler()


def _body(settings: OpenAISettings, prompt: Prompt) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
        "stream": False,
    }
    for name in ("temperature", "top_p", "max_tokens"):
        if getattr(settings, name) is not None:
            body[name] = getattr(settings, name)
    if settings.seed:
        body["seed"] = prompt.seed & 0x7FFFFFFF  # some servers keep it in 32 bits
    return body | settings.extra_body


def _text(choice: _Choice) -> tuple[str | None, str]:
    """The text of a choice with its reasoning, and why it ended there."""
    message = choice.message
    finish_reason = choice.finish_reason or "stop"
    thinking = message.reasoning_content or message.reasoning or ""
    if message.content is None and message.refusal:
        return message.refusal, "content_filter"
    if not thinking:
        return message.content, finish_reason
    if not message.content:
        return f"<think>\n{thinking}", finish_reason
    return f"<think>\n{thinking}\n</think>\n\n{message.content}", finish_reason


def _count(usage: Any, name: str) -> int:
    """A number of tokens that can be one; 0 where there is none."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return int(count) if isinstance(count, int | float) and 0 <= count < 2**53 else 0


def _identity(settings: OpenAISettings) -> str:
    """Kind, endpoint and model, and a hash of the options that change answers."""
    deciding = settings.model_dump_json(include={"temperature", "top_p", "max_tokens", "seed", "extra_body"})
    return f"openai {settings.base_url} {settings.model} {fingerprint(deciding, size=8)}"


def _key(name: str, settings: OpenAISettings) -> SecretStr:
    """The key from where the settings say, kept so that no print shows it.

    Raises:
        ConfigError: It is not there, or it could not be sent.
    """
    if settings.api_key_env:
        place = f"the environment variable {settings.api_key_env}"
        key = os.environ.get(settings.api_key_env, "").strip()
    elif settings.api_key_file:
        place = str(settings.api_key_file)
        try:
            key = read_text(settings.api_key_file.expanduser(), max_bytes=1 << 16).strip()
        except ResourceError as error:
            raise ConfigError(f"backends.{name}: {error.message}", remedy="check api_key_file") from error
    else:
        return SecretStr("")
    if not key:
        raise ConfigError(f"backends.{name}: {place} holds no key", remedy="set it, or take the option out")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"backends.{name}: what {place} holds is not a key", remedy="check it for line breaks"
        )
    return SecretStr(key)
