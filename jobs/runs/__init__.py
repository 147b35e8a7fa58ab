"""Verbs that make versions, and their schedules."""
