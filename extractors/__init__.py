"""Waveform to codes and latents, exactly as the upstream codec would."""
