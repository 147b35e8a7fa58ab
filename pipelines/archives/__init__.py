"""Archives left packed: tar, zip, Parquet and Arrow files as folders of recordings, on a disk or in an object store.

In: the path of an archive, or of a member in it (`shards/000.tar/talk.flac`). Out: names and sizes, bytes of a member.
May import no other room.
"""
