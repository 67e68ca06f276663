"""Questions about a context, answered by a part of it: SQuAD 1.1 and 2.0, CMRC, or a table of one's own."""
