"""What the kernels compute, in plain torch: the definition, and a form that is fast on a CPU."""

from promptcot.ssd.reference.scan import ssd_chunked as ssd_chunked
from promptcot.ssd.reference.scan import ssd_chunked_with_states as ssd_chunked_with_states
from promptcot.ssd.reference.scan import ssd_recurrent as ssd_recurrent
from promptcot.ssd.reference.scan import ssd_recurrent_with_states as ssd_recurrent_with_states
