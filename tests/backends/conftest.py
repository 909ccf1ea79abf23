"""A real server with a tiny random model, started once for the test session."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a random Llama with a byte-level tokenizer and a chat template."""
    script = Path(__file__).with_name("tiny_llama.py")
    folder = tmp_path_factory.mktemp("model") / "tiny-llama"
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, timeout=200, env=_environment(folder.parent)
    )
    return folder


@pytest.fixture(scope="session")
def transformers_server(tiny_llama: Path) -> Iterator[str]:
    """The base URL of ``transformers serve`` with that model, which lives as long as the test session."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    log = tiny_llama.parent / "server.log"
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu", str(tiny_llama)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(command), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(tiny_llama.parent),
        )
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(20)


def _environment(folder: Path) -> dict[str, str]:
    home = folder / "hf"
    (home / "hub").mkdir(parents=True, exist_ok=True)  # without it, the list of models fails
    return os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path, *, limit_s: float = 240) -> None:
    """Asks a starting server until it answers: it has no other way to say that it is ready."""
    end = time.monotonic() + limit_s
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")
