"""What a worker does in each pass: probe files, score clips, extract representations.

In: items of a unit. Out: one receipt row per item, and payloads. Imports `audio` and `work`."""
