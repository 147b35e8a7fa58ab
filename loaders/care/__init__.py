"""Keep versions sound: rewrite without some rows, verify every byte, apply tombstones.

In: a version. Out: another one, or a list of damage. Imports `reading` and `storage`."""
