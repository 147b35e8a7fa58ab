"""Entry points: the auricle command and what it starts."""
