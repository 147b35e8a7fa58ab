"""How the built-in codec is trained and evaluated. Nothing imports this room but `auricle train codec`.

In: audio and a recipe. Out: a weights file. Imports `codecs`."""
