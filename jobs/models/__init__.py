"""Verbs about models and sound: registry, weights, training, decoding, relabelling."""
