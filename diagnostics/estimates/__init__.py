"""What every estimate shares: folds over speakers, bootstrap, the estimate record.

In: per-speaker statistics. Out: a value with its interval and whether it is resolved."""
