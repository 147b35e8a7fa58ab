"""What is in the sources now: files with size and time, members of archives, what lists name; nothing is decoded.

In: sources. Out: rows of files, in batches; a pass that lists archives on the workers. Imports `archives`, `labels`,
`sources`, `audio`, `work`."""
