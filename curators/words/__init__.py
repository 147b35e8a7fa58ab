"""Scores of the transcript: language, text quality, agreement of words and audio; recognisers for relabelling.

In: waveforms and transcripts. Out: score columns, word times, new texts. Imports `signal`."""
