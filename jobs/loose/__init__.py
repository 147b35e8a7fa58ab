"""Verbs that need no dataset: score, doctor, codecs."""
