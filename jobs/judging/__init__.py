"""Verbs that judge a version: judge, diagnose, curriculum, report."""
