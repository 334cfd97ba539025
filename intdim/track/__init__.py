"""Trackers: TensorBoard, Weights & Biases, Trackio and MLflow receive what the ledger has.

The tracker works in a process of its own (``process``), which the command feeds with ids (``sender``) and never waits
for. That process reads the ledger (``entries``), gives a tracker what it lacks (``feed``), and each tracker is one file
behind ``base``.
"""
