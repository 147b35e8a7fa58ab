"""What is on disk and what the user writes: records, tables, keys, config, errors."""
