"""What every codec shares: the interface, the registry, weights, windows, views, packing, resampling.

In: a representation's configuration. Out: an extractor. Imports nothing else of `extractors`."""
