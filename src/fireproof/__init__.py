"""Fire drills, with proof."""

__version__ = "0.1.0"
