"""What the kernels compute, in plain torch: the definition, and a form that is fast on a CPU."""

from promptcot.ssd.reference.conv import causal_conv1d as causal_conv1d
from promptcot.ssd.reference.conv import causal_conv1d_silu as causal_conv1d_silu
from promptcot.ssd.reference.conv import causal_conv1d_silu_with_states as causal_conv1d_silu_with_states
from promptcot.ssd.reference.conv import causal_conv1d_with_states as causal_conv1d_with_states
from promptcot.ssd.reference.decode import conv_step as conv_step
from promptcot.ssd.reference.decode import conv_step_silu as conv_step_silu
from promptcot.ssd.reference.decode import mixer_step as mixer_step
from promptcot.ssd.reference.decode import ssd_step as ssd_step
from promptcot.ssd.reference.norm import gated_rms_norm_gate_first as gated_rms_norm_gate_first
from promptcot.ssd.reference.norm import gated_rms_norm_norm_first as gated_rms_norm_norm_first
from promptcot.ssd.reference.norm import rms_norm as rms_norm
from promptcot.ssd.reference.norm import rms_norm_residual as rms_norm_residual
from promptcot.ssd.reference.scan import ssd_chunked as ssd_chunked
from promptcot.ssd.reference.scan import ssd_chunked_with_states as ssd_chunked_with_states
from promptcot.ssd.reference.scan import ssd_recurrent as ssd_recurrent
from promptcot.ssd.reference.scan import ssd_recurrent_with_states as ssd_recurrent_with_states
