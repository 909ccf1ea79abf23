"""From a concept graph to verified, curriculum-ordered reasoning data, and a model trained on it."""

__version__ = "0.1.0"
