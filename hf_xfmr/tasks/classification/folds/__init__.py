"""Cross-validation: a run without each part of the rows, one of all rows, and what their answers say of labels."""
