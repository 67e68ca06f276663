"""Any source of rows (file, folder, table, sample, Hub dataset) -> checked rows: what several tasks read with."""
