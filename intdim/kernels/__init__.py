"""Pure tensor functions: counter-based random numbers, packed signs, Hadamard transforms, and the slow definitions."""
