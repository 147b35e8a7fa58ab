"""From decided clips to a published version: pack, assemble, gate, publish.

In: working tables and payloads. Out: shards, table parts and one version document. Imports `tables`; the gate reads
recordings again (`audio`), in a process of its own (`work`)."""
