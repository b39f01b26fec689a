"""A camera, plain words, and a trustworthy label stream."""

__version__ = "0.1.0"
