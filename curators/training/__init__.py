"""How the shipped curator weights were made, and how to make your own. Nothing imports this room.

In: clean speech, noises, rooms. Out: weights files. Imports `signal`, `words`, `voices`."""
