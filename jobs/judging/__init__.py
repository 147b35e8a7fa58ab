"""Commands that judge a version: judge, diagnose, curriculum, report."""
