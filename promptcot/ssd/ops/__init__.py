"""The operations of the model, with autograd: Triton on CUDA, plain torch on a CPU."""

from promptcot.ssd.ops.scan import ssd as ssd
from promptcot.ssd.ops.scan import ssd_with_states as ssd_with_states
