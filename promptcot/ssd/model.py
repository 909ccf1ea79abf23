"""The Mamba-2 language model: token embeddings, residual mixer blocks, a final norm and a head.

    h = embeddings[input_ids]
    h = h + mixer(norm(h))                                      n_layers times
    logits = lm_head(norm_f(h))

and the mixer of Dao and Gu, "Transformers are SSMs" (arXiv:2405.21060), section 7::

    z, xBC, dt = in_proj(h)
    x, B, C    = silu(causal_conv1d(xBC))
    y          = ssd(x, dt, -exp(A_log), B, C, D, dt_bias)
    out        = out_proj(gated_norm(y, z))

Parameters have the names of the published checkpoints in transformers' layout
(``backbone.layers.0.mixer.in_proj.weight``), so import and export only translate the config.
Tokens of many documents lie in one row; ``cu_seqlens`` says where each begins, and nothing of one
document reaches another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from promptcot.config import Settings
from promptcot.errors import ConfigError
from promptcot.resources import unknown
from promptcot.seeding import derive
from promptcot.ssd.ops import (
    causal_conv1d_silu,
    causal_conv1d_silu_with_states,
    gated_rms_norm_gate_first,
    mixer_step,
    rms_norm,
    ssd,
    ssd_with_states,
)

__all__ = ["PRESETS", "Mamba2LM", "ModelConfig", "State", "init_weights", "preset"]


class ModelConfig(Settings):
    """Shape and numerics of a model.

    Attributes:
        vocab_size: Rows of the embeddings.
        d_model: Width of the residual stream.
        n_layers: Number of mixer blocks.
        dstate: State size of a head's channel.
        headdim: Channels of a head; ``expand * d_model`` is a multiple of it.
        ngroups: Groups of heads that share one B and C each.
        expand: Inner width over `d_model`.
        d_conv: Taps of the causal convolution, 2 to 4.
        chunk_size: Of the published config; the scan chooses its own, the result is the same.
        tie_embeddings: Whether the head is the embeddings.
        residual_in_fp32: Whether the residual stream is kept in float32 whatever the weights are.
        dt_min: Lowest step size at initialization, `dt_max` the highest, `dt_floor` the clamp.
        dt_limit: Clamp of the step size at every token; the upper end None is no limit.
    """

    vocab_size: int = Field(ge=1)
    d_model: int = Field(ge=1)
    n_layers: int = Field(ge=1)
    dstate: int = Field(128, ge=1)
    headdim: int = Field(64, ge=1)
    ngroups: int = Field(1, ge=1)
    expand: int = Field(2, ge=1)
    d_conv: int = Field(4, ge=2, le=4)
    chunk_size: int = Field(256, ge=1)
    tie_embeddings: bool = True
    use_bias: bool = False
    use_conv_bias: bool = True
    norm_eps: float = Field(1e-5, gt=0)
    residual_in_fp32: bool = True
    initializer_range: float = Field(0.02, gt=0)
    dt_min: float = Field(0.001, gt=0)
    dt_max: float = Field(0.1, gt=0)
    dt_floor: float = Field(1e-4, gt=0)
    dt_limit: tuple[float, float | None] = (0.0, None)

    @model_validator(mode="after")
    def _heads_fit(self) -> ModelConfig:
        if self.d_inner % self.headdim:
            raise ValueError(f"headdim {self.headdim} does not divide expand * d_model = {self.d_inner}")
        if self.nheads % self.ngroups:
            raise ValueError(f"ngroups {self.ngroups} does not divide nheads = {self.nheads}")
        if self.dt_min > self.dt_max:
            raise ValueError("dt_min is above dt_max")
        return self

    @property
    def d_inner(self) -> int:
        """Width inside a mixer."""
        return self.expand * self.d_model

    @property
    def nheads(self) -> int:
        """Heads of a mixer."""
        return self.d_inner // self.headdim

    @property
    def conv_dim(self) -> int:
        """Channels of the convolution: x, B and C."""
        return self.d_inner + 2 * self.ngroups * self.dstate

    @property
    def steps_limit(self) -> tuple[float, float]:
        """`dt_limit` with an infinity where it has no upper end."""
        low, high = self.dt_limit
        return low, math.inf if high is None else high


# Shapes of the published checkpoints, from their config files: state-spaces/mamba2-130m, -370m,
# -780m, -1.3b and -2.7b (GPT-NeoX vocabulary padded to a multiple of 16, tied), and
# mistralai/Mamba-Codestral-7B-v0.1 (untied, 8 groups). nano, 5m and 25m
# are promptcot's own: nano is what learns most in a minute on two cores (docs/training.md).
PRESETS: dict[str, dict[str, int | bool]] = {
    "nano": {"vocab_size": 512, "d_model": 128, "n_layers": 4, "dstate": 32, "headdim": 64},
    "5m": {"vocab_size": 1024, "d_model": 320, "n_layers": 8, "dstate": 64, "headdim": 64},
    "25m": {"vocab_size": 8192, "d_model": 512, "n_layers": 14, "dstate": 64, "headdim": 64},
    "130m": {"vocab_size": 50288, "d_model": 768, "n_layers": 24},
    "370m": {"vocab_size": 50288, "d_model": 1024, "n_layers": 48},
    "780m": {"vocab_size": 50288, "d_model": 1536, "n_layers": 48},
    "1.3b": {"vocab_size": 50288, "d_model": 2048, "n_layers": 48},
    "2.7b": {"vocab_size": 50288, "d_model": 2560, "n_layers": 64},
    "codestral-7b": {
        "vocab_size": 32768,
        "d_model": 4096,
        "n_layers": 64,
        "ngroups": 8,
        "tie_embeddings": False,
    },
}


def preset(name: str, *, vocab_size: int | None = None) -> ModelConfig:
    """The config of a preset, with another vocabulary where one is given.

    Raises:
        ConfigError: There is no preset of that name; the message gives the nearest.
    """
    if name not in PRESETS:
        raise ConfigError(unknown("model preset", name, PRESETS))
    fields = dict(PRESETS[name])
    if vocab_size is not None:
        fields["vocab_size"] = vocab_size
    return ModelConfig.model_validate(fields)


@dataclass
class State:
    """What the layers remember of the sequences in a fixed number of slots.

    Attributes:
        conv: (n_layers, nslots, conv_dim, d_conv - 1), the last inputs of every convolution.
        ssm: (n_layers, nslots, nheads, headdim, dstate), float32.
    """

    conv: Tensor
    ssm: Tensor

    @staticmethod
    def zeros(config: ModelConfig, nslots: int, *, device: torch.device, dtype: torch.dtype) -> State:
        """Empty states; `dtype` is that of the convolution's inputs."""
        layers = (config.n_layers, nslots)
        ssm_dtype = torch.float64 if dtype == torch.float64 else torch.float32
        return State(
            torch.zeros(*layers, config.conv_dim, config.d_conv - 1, device=device, dtype=dtype),
            torch.zeros(
                *layers, config.nheads, config.headdim, config.dstate, device=device, dtype=ssm_dtype
            ),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all slots together."""
        return self.conv.nbytes + self.ssm.nbytes


class RMSNorm(nn.Module):
    """Root mean square norm over the channels."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels) to the same."""
        return rms_norm(x, self.weight, eps=self.eps)


class GatedRMSNorm(nn.Module):
    """Norm of ``x * silu(z)``, in each of `ngroups` runs of channels by itself."""

    def __init__(self, channels: int, eps: float, ngroups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps, self.ngroups = eps, ngroups

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """(..., channels) twice, to one of the same."""
        return gated_rms_norm_gate_first(x, z, self.weight, eps=self.eps, ngroups=self.ngroups)


class Mixer(nn.Module):
    """One Mamba-2 mixer: projection, convolution, scan, gated norm, projection."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.in_proj = nn.Linear(c.d_model, c.d_inner + c.conv_dim + c.nheads, bias=c.use_bias)
        self.conv1d = nn.Conv1d(
            c.conv_dim, c.conv_dim, c.d_conv, groups=c.conv_dim, padding=c.d_conv - 1, bias=c.use_conv_bias
        )
        self.dt_bias = nn.Parameter(torch.ones(c.nheads))
        self.A_log = nn.Parameter(torch.zeros(c.nheads))
        self.D = nn.Parameter(torch.ones(c.nheads))
        self.norm = GatedRMSNorm(c.d_inner, c.norm_eps, c.ngroups)
        self.out_proj = nn.Linear(c.d_inner, c.d_model, bias=c.use_bias)

    def forward(self, h: Tensor, cu_seqlens: Tensor | None) -> Tensor:
        """(batch, seqlen, d_model) to the same."""
        z, xBC, dt = self._project(h)
        xBC = causal_conv1d_silu(xBC, self.conv1d.weight[:, 0], self.conv1d.bias, cu_seqlens=cu_seqlens)
        x, B, C = self._heads(xBC)
        y = ssd(
            x, dt, self._A(), B, C, D=self.D, dt_bias=self.dt_bias, dt_softplus=True,
            dt_limit=self.config.steps_limit, cu_seqlens=cu_seqlens,
        )  # fmt: skip
        return self._merge(y.flatten(-2), z)

    def prefill(
        self, h: Tensor, cu_seqlens: Tensor, conv: Tensor, ssm: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Reads packed documents on top of their states (ndocs, ...), and gives the new states too."""
        z, xBC, dt = self._project(h)
        xBC, conv = causal_conv1d_silu_with_states(
            xBC, self.conv1d.weight[:, 0], self.conv1d.bias, initial_states=conv, cu_seqlens=cu_seqlens
        )
        x, B, C = self._heads(xBC)
        y, ssm = ssd_with_states(
            x, dt, self._A(), B, C, D=self.D, dt_bias=self.dt_bias, dt_softplus=True,
            dt_limit=self.config.steps_limit, initial_states=ssm, cu_seqlens=cu_seqlens,
        )  # fmt: skip
        return self._merge(y.flatten(-2), z), conv, ssm

    def step(self, h: Tensor, conv: Tensor, ssm: Tensor, slots: Tensor | None) -> Tensor:
        """One token for each row of `h` (batch, d_model); the states of its slot are updated in place."""
        z, xBC, dt = self._project(h)
        y = mixer_step(
            conv, ssm, xBC, dt, self._A(), self.conv1d.weight[:, 0], self.conv1d.bias,
            ngroups=self.config.ngroups, D=self.D, dt_bias=self.dt_bias, dt_softplus=True,
            dt_limit=self.config.steps_limit, slots=slots,
        )  # fmt: skip
        return self._merge(y.flatten(-2), z)

    def _project(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        z, xBC, dt = torch.split(self.in_proj(h), [c.d_inner, c.conv_dim, c.nheads], dim=-1)
        return z, xBC, dt

    def _heads(self, xBC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        x, B, C = torch.split(xBC, [c.d_inner, c.ngroups * c.dstate, c.ngroups * c.dstate], dim=-1)
        rows = xBC.shape[:-1]
        groups = (*rows, c.ngroups, c.dstate)
        return x.view(*rows, c.nheads, c.headdim), B.view(groups), C.view(groups)

    def _merge(self, y: Tensor, z: Tensor) -> Tensor:
        out: Tensor = self.out_proj(self.norm(y, z))
        return out

    def _A(self) -> Tensor:
        log = self.A_log if self.A_log.dtype == torch.float64 else self.A_log.float()
        return -torch.exp(log)


class Block(nn.Module):
    """A mixer behind its norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.mixer = Mixer(config)


class Backbone(nn.Module):
    """Everything but the head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm_f = RMSNorm(config.d_model, config.norm_eps)


class Mamba2LM(nn.Module):
    """A Mamba-2 language model.

    Args:
        config: Its shape. The weights are not initialized: call `init_weights`, or load some.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.backbone.embeddings.weight

    def hidden(self, input_ids: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        """Final hidden states (batch, seqlen, d_model) of ``input_ids`` (batch, seqlen)."""
        h = self._embed(input_ids)
        for block in self._blocks():
            h = h + block.mixer(self._normed(block, h), cu_seqlens)
        return self._final(h)

    def forward(self, input_ids: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        """Float32 logits (batch, seqlen, vocab_size) of ``input_ids`` (batch, seqlen).

        Args:
            input_ids: Token ids.
            cu_seqlens: (ndocs + 1,) int32, where documents begin in the one row of a packed batch.
        """
        return self._logits(self.hidden(input_ids, cu_seqlens))

    def loss(self, input_ids: Tensor, targets: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        """Sum of the cross entropies of the supervised tokens; the head reads no other.

        Args:
            input_ids: (batch, seqlen).
            targets: (batch, seqlen), the token that follows; negative where nothing is learned.
            cu_seqlens: As in `forward`.
        """
        hidden = self.hidden(input_ids, cu_seqlens).flatten(0, 1)
        targets = targets.flatten()
        places = (targets >= 0).nonzero().flatten()
        logits = self._logits(hidden.index_select(0, places))
        return F.cross_entropy(logits, targets.index_select(0, places), reduction="sum")

    def prefill(self, input_ids: Tensor, cu_seqlens: Tensor, state: State, slots: Tensor) -> Tensor:
        """Reads packed documents into their slots, on top of what is there.

        Args:
            input_ids: (1, seqlen).
            cu_seqlens: (ndocs + 1,) int32; every document has a token at least.
            state: Updated in place.
            slots: (ndocs,) int64, the slot of each document.

        Returns:
            Logits (ndocs, vocab_size) of each document's last token.
        """
        h = self._embed(input_ids)
        for layer, block in enumerate(self._blocks()):
            conv, ssm = state.conv[layer], state.ssm[layer]
            out, new_conv, new_ssm = block.mixer.prefill(
                self._normed(block, h), cu_seqlens, conv.index_select(0, slots), ssm.index_select(0, slots)
            )
            conv.index_copy_(0, slots, new_conv.to(conv.dtype))
            ssm.index_copy_(0, slots, new_ssm.to(ssm.dtype))
            h = h + out
        last = cu_seqlens[1:].long() - 1
        return self._logits(self._final(h)[0].index_select(0, last))

    def step(self, input_ids: Tensor, state: State, slots: Tensor | None = None) -> Tensor:
        """One token more for each row.

        Args:
            input_ids: (batch,).
            state: Updated in place.
            slots: (batch,) int32, the slot of each row, or -1 where a row is idle; None is row i in slot i.

        Returns:
            Logits (batch, vocab_size).
        """
        h = self._embed(input_ids)
        for layer, block in enumerate(self._blocks()):
            h = h + block.mixer.step(self._normed(block, h), state.conv[layer], state.ssm[layer], slots)
        return self._logits(self._final(h))

    def _blocks(self) -> Sequence[Block]:
        return self.backbone.layers  # type: ignore[return-value]

    def _embed(self, input_ids: Tensor) -> Tensor:
        h: Tensor = self.backbone.embeddings(input_ids)
        return h.float() if self.config.residual_in_fp32 and h.dtype != torch.float64 else h

    def _normed(self, block: Block, h: Tensor) -> Tensor:
        normed: Tensor = block.norm(h)
        return normed.to(block.mixer.in_proj.weight.dtype)

    def _final(self, h: Tensor) -> Tensor:
        normed: Tensor = self.backbone.norm_f(h)
        return normed.to(self.lm_head.weight.dtype)

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.lm_head(hidden)
        return logits if logits.dtype == torch.float64 else logits.float()


@torch.no_grad()
def init_weights(model: Mamba2LM, seed: int) -> Mamba2LM:
    """Initializes as published with Mamba-2, every parameter from the seed and its own name.

    Embeddings and an untied head are normal with `initializer_range`; projections and convolutions
    uniform in one over the root of their fan-in, ``out_proj`` smaller by the root of `n_layers`; A
    uniform in [1, 16]; the step sizes log-uniform in [`dt_min`, `dt_max`] through the inverse of
    the softplus; D and the norms are one.
    """
    config = model.config
    for name, parameter in model.named_parameters():
        draw = torch.Generator().manual_seed(derive(seed, "init", name))
        leaf = name.rsplit(".", 2)[-2:]
        value = torch.empty(parameter.shape, dtype=torch.float32)
        if leaf[-1] == "A_log":
            value.uniform_(1.0, 16.0, generator=draw).log_()
        elif leaf[-1] == "dt_bias":
            value.uniform_(math.log(config.dt_min), math.log(config.dt_max), generator=draw)
            value.exp_().clamp_(min=config.dt_floor)
            value += torch.log(-torch.expm1(-value))
        elif leaf[-1] == "D" or leaf[0].startswith("norm"):
            value.fill_(1.0)
        elif leaf[0] in ("embeddings", "lm_head"):
            value.normal_(0.0, config.initializer_range, generator=draw)
        elif leaf[-1] == "bias" and leaf[0] != "conv1d":
            value.zero_()
        else:
            fan_in = config.d_conv if leaf[0] == "conv1d" else parameter.shape[1]
            bound = 1 / math.sqrt(fan_in)
            value.uniform_(-bound, bound, generator=draw)
            if leaf[0] == "out_proj":
                value /= math.sqrt(config.n_layers)
        parameter.copy_(value)
    return model
