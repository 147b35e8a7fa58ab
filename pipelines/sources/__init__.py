"""Kinds of sources that are no folder: versions of datasets, those of other packages; files looked at where they are.

In: the path of a source, `kind://whatever`. Out: its recordings, the bytes of one, its labels.
May import labels and archives.
"""
