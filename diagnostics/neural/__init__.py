"""Neural models of codes and of latents: what counting and linear prediction cannot reach. Needs torch.

In: a store of codes and folds, or a sample of clips. Out: bits or nats per frame, cross-fitted. Imports `estimates`,
`codes`, `latents`, `motion`."""
