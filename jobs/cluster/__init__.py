"""A run as a job of a Ray cluster: ship, submit, follow."""
