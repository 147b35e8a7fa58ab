"""How data moves: ingest, score, decide, extract, gate, publish."""
