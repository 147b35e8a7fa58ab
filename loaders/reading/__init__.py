"""Open a version and read it: clip table, samples, filters, tags, tombstones, promoted models.

In: `dataset@version`. Out: Arrow tables and arrays. Imports `storage`."""
