"""A version in batches for training: what a plan says is read, checked, laid out and padded.

In: a version and settings. Out: batches of tensors, and a state to go on from. Imports `plan`, `storage` and `reading`;
torch only where a torch class is."""
