"""Measure one batch of clips; every score with its unit, every null with its reason."""
