"""What the machines of a cluster have, and what a worker takes of one.

In: declarations, Ray's account of its nodes. Out: how many workers fit, or why none does. Imports no other room."""
