"""One file per command that makes runs. Drivers decide and never import torch."""
