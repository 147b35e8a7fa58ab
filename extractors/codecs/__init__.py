"""Neural codecs: the built-in one, Mimi, EnCodec 24 and 48 kHz, two-sided conversations.

In: waveforms `[C, T] float32`. Out: codes `[K, T]`, latents `[D, T]`, and audio again. Imports `coding`."""
