"""Near duplicates: acoustic fingerprints and the pairs that they propose.

In: waveforms, then all fingerprints. Out: groups of copies. Imports only the top of `curators`."""
