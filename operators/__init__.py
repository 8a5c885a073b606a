"""Neural operators: maps between functions that are learnt from pairs of samples."""
