"""A language model of codes: what counting cannot reach. Needs torch.

In: a store of codes and folds. Out: bits per frame, cross-fitted. Imports `codes`."""
