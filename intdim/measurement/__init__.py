"""The program of one sweep: baseline, step length, evaluation-set noise, verdict record. Runs nothing itself."""
