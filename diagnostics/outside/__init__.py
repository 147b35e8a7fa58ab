"""Language models of other packages as members of the portfolio: checked, not trained.

In: a store of codes and a model that gives probabilities. Out: bits per code. Imports `codes`."""
