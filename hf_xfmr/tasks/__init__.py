"""What a run of each kind consists of: its parts, its baseline, its metrics, and what uses its model."""
