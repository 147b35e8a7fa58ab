"""Labels, as found: every convention in which corpora describe their recordings, turned into one stream of rows.
A file holds one family of conventions; `registry` knows them all, and those of other packages."""
