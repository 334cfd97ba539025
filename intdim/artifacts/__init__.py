"""A finished run as a small file: rebuilt, exported, compressed."""
