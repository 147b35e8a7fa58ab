"""Bytes on a disk or an object store: paths, immutable objects, shards, records, put-if-absent.

In: a URL. Out: checked bytes and tables. Imports nothing else of `loaders`."""
