"""One worker's side of a run: builds a model, trains it, scores it, writes what came out."""
