"""Codes held in memory, their n-grams, and predictive models made from counts of them.

In: codes `[K, T]` of clips. Out: code lengths of single codes."""
