"""Verbs over published versions and their schemas, and the tables that they print."""
