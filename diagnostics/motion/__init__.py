"""How latents move: archetypes of their steps, and what a linear prediction is worth many frames ahead.

In: a bounded sample of clips that is held in memory. Out: measures beside those of the same clips with their frames
shuffled in time. Imports `estimates`, `latents`."""
