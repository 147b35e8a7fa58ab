"""From decided clips to a published version: pack, assemble, gate, publish.

In: working tables and payloads. Out: shards, table parts and one version document. Imports `tables`."""
