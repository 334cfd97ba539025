"""What is remembered: run and sweep folders, finished runs, prepared cells."""
