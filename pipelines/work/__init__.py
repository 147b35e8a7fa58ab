"""Work units and receipts, and where they run: this process, a child, Ray.

In: a recipe and items. Out: one result per item, exactly once. Knows nothing of audio, scores or versions."""
