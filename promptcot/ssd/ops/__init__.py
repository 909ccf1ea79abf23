"""The operations of the model, with autograd: Triton on CUDA, plain torch on a CPU."""

from promptcot.ssd.ops.conv import causal_conv1d as causal_conv1d
from promptcot.ssd.ops.conv import causal_conv1d_silu as causal_conv1d_silu
from promptcot.ssd.ops.conv import causal_conv1d_silu_with_states as causal_conv1d_silu_with_states
from promptcot.ssd.ops.conv import causal_conv1d_with_states as causal_conv1d_with_states
from promptcot.ssd.ops.decode import conv_step as conv_step
from promptcot.ssd.ops.decode import conv_step_silu as conv_step_silu
from promptcot.ssd.ops.decode import mixer_step as mixer_step
from promptcot.ssd.ops.decode import ssd_step as ssd_step
from promptcot.ssd.ops.norm import gated_rms_norm_gate_first as gated_rms_norm_gate_first
from promptcot.ssd.ops.norm import gated_rms_norm_norm_first as gated_rms_norm_norm_first
from promptcot.ssd.ops.norm import rms_norm as rms_norm
from promptcot.ssd.ops.norm import rms_norm_residual as rms_norm_residual
from promptcot.ssd.ops.scan import ssd as ssd
from promptcot.ssd.ops.scan import ssd_with_states as ssd_with_states
