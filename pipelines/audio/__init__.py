"""From source files to samples: decode, check, cut, read again.

In: a path or a planned clip. Out: float32 waveforms, or a `ClipError` with a reason. Imports `work`."""
