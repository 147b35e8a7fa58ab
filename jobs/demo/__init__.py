"""The demo: a talking corpus with planted defects, the real job on it, and what was found."""
