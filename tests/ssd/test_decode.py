from __future__ import annotations

import pytest
import torch

from promptcot.errors import ConfigError
from promptcot.ssd.decode import Generation, Request, generate
from promptcot.ssd.model import Mamba2LM, ModelConfig, State, init_weights

CONFIG = ModelConfig(vocab_size=23, d_model=32, n_layers=3, dstate=8, headdim=16, ngroups=2)


@pytest.fixture(scope="module")
def model() -> Mamba2LM:
    model = init_weights(Mamba2LM(CONFIG), 3)
    with torch.no_grad():  # as drawn, a model says the same token all the time
        model.backbone.embeddings.weight *= 20
    return model


def prompts(*lengths: int) -> list[list[int]]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randint(CONFIG.vocab_size, (n,), generator=draw).tolist() for n in lengths]


def test_a_step_gives_the_logits_of_the_whole(model: Mamba2LM) -> None:
    """Prefill then steps against one forward pass, float64, to 1e-9."""
    exact = init_weights(Mamba2LM(CONFIG), 3).double()
    (ids,) = prompts(50)
    whole = exact(torch.tensor([ids]))[0]
    state = State.zeros(CONFIG, 3, device=torch.device("cpu"), dtype=torch.float64)
    slot = torch.tensor([1])
    with torch.no_grad():
        first = exact.prefill(torch.tensor([ids[:20]]), torch.tensor([0, 20], dtype=torch.int32), state, slot)
        torch.testing.assert_close(first[0], whole[19], rtol=1e-9, atol=1e-9)
        for place in range(20, 50):
            got = exact.step(torch.tensor([ids[place]]), state, slot.int())
            torch.testing.assert_close(got[0], whole[place], rtol=1e-9, atol=1e-9)
    assert not state.ssm[:, [0, 2]].any()
    assert not state.conv[:, [0, 2]].any()


def greedy_by_forward(model: Mamba2LM, prompt: list[int], stop: int, limit: int) -> Generation:
    ids = list(prompt)
    for _ in range(limit):
        with torch.no_grad():
            token = int(model(torch.tensor([ids]))[0, -1].argmax())
        if token == stop:
            return Generation(tuple(ids[len(prompt) :]), "stop")
        ids.append(token)
    return Generation(tuple(ids[len(prompt) :]), "length")


@pytest.mark.parametrize(("nslots", "prefill_tokens"), [(1, 4096), (2, 5), (64, 7)])
def test_greedy_decoding_is_that_of_forward_passes(model: Mamba2LM, nslots: int, prefill_tokens: int) -> None:
    asked = prompts(1, 9, 3, 30, 2, 17)
    unstopped = [greedy_by_forward(model, prompt, -1, 12) for prompt in asked]
    stop = unstopped[1].tokens[5]
    expected = [greedy_by_forward(model, prompt, stop, 12) for prompt in asked]
    assert {generation.finish_reason for generation in expected} == {"stop", "length"}
    got = generate(
        model,
        [Request(prompt, max_new_tokens=12) for prompt in asked],
        stop_ids={stop},
        nslots=nslots,
        prefill_tokens=prefill_tokens,
    )
    assert got == expected


def test_a_sample_does_not_depend_on_its_neighbours(model: Mamba2LM) -> None:
    asked = [
        Request(prompt, max_new_tokens=20, temperature=0.8, top_p=0.9, seed=seed)
        for seed, prompt in enumerate(prompts(4, 11, 6, 25, 8))
    ]
    alone = [generate(model, [request], stop_ids={0})[0] for request in asked]
    assert generate(model, asked, stop_ids={0}, nslots=3) == alone
    assert generate(model, asked[::-1], stop_ids={0}, nslots=2) == alone[::-1]
    assert len({generation.tokens for generation in alone}) == len(alone)


def test_draws_follow_the_probabilities_and_top_p_cuts_them(model: Mamba2LM) -> None:
    (prompt,) = prompts(6)
    with torch.no_grad():
        exact = torch.softmax(model(torch.tensor([prompt]))[0, -1].double() / 2, -1)
    draws = 4000

    def shares(top_p: float) -> torch.Tensor:
        asked = [Request(prompt, 1, temperature=2.0, top_p=top_p, seed=seed) for seed in range(draws)]
        tokens = [g.tokens[0] for g in generate(model, asked, stop_ids=(), nslots=draws)]
        return torch.bincount(torch.tensor(tokens), minlength=CONFIG.vocab_size) / draws

    assert (shares(1.0) - exact).abs().max() < 4 * 0.5 / draws**0.5
    order = exact.argsort(descending=True)
    kept = int((exact[order].cumsum(0) < 0.6).sum()) + 1
    cut = shares(0.6)
    assert set(cut.nonzero().flatten().tolist()) == set(order[:kept].tolist())


def test_a_top_p_of_almost_nothing_is_greedy(model: Mamba2LM) -> None:
    asked = prompts(5, 9)
    drawn = [Request(prompt, 8, temperature=1.0, top_p=1e-9, seed=4) for prompt in asked]
    assert generate(model, drawn, stop_ids={0}) == generate(
        model, [Request(prompt, 8) for prompt in asked], stop_ids={0}
    )


def test_memory_is_that_of_the_slots() -> None:
    state = State.zeros(CONFIG, 4, device=torch.device("cpu"), dtype=torch.float32)
    per_slot = CONFIG.n_layers * (CONFIG.conv_dim * 3 + CONFIG.nheads * CONFIG.headdim * CONFIG.dstate)
    assert state.nbytes == 4 * per_slot * 4


def test_finished_requests_are_told_and_none_is_needed(model: Mamba2LM) -> None:
    told: dict[int, Generation] = {}
    asked = [Request(prompt, 5) for prompt in prompts(3, 4, 5)]
    got = generate(model, asked, stop_ids={0}, nslots=2, on_finished=told.__setitem__)
    assert [told[index] for index in range(3)] == got
    assert generate(model, [], stop_ids={0}) == []


@pytest.mark.parametrize(
    "request_", [Request([]), Request([1], 0), Request([1], temperature=-1), Request([1], top_p=0)]
)
def test_a_request_that_makes_no_sense_is_refused(model: Mamba2LM, request_: Request) -> None:
    with pytest.raises(ConfigError, match="request 1"):
        generate(model, [Request([1]), request_], stop_ids={0})
