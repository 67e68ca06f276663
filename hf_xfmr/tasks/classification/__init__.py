"""Texts, or pairs of texts, to one label, to several, or to a rating."""
