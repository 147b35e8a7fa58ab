"""How predictable a representation is, with its uncertainty; mergeable statistics."""
