"""The command line: one file per command, each thin over the room that does the work."""
