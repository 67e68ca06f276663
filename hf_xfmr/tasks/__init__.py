"""What can be trained, a folder each with the same rooms: data, run, metrics, and what uses and compares its models."""
