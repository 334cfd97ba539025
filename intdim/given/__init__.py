"""Objects of a Python session in the place of words: a model, rows, a metric. They become folders that workers read."""
