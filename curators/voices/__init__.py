"""Who speaks: voice embeddings, pseudo-speakers, intonation, overlap of two channels.

In: waveforms. Out: score columns and voice vectors. Imports `signal`."""
