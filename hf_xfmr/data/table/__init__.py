"""Tables as people have them: what a file is, how it is written, and its rows as they stand."""
