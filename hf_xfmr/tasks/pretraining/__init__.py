"""BERT on texts: masked words, and whether one sentence follows another."""
