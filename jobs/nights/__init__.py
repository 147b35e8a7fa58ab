"""Nights: runs that a scheduler starts. What they tell while they work and when they end, and whether one came."""
