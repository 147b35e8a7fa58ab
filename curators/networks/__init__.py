"""Networks that installed packages carry, made cheaper: what is changed in them before they are opened.

In: the bytes of a model. Out: the bytes of a cheaper one. Imports only the top of `curators`."""
