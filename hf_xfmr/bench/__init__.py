"""Our models against stock and other peers, in turns in one process: the same weights, data and precision."""
