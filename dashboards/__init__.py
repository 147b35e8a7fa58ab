"""The static report of a version and the explorer."""
