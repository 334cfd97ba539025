"""The command line: one file for each command, thin over the driver that does the work."""
