"""Candidate models beside those in use: shadow comparison, promotion, cost.

In: a version and a candidate. Out: a comparison, a promoted model. Imports `policy` and `audio`."""
