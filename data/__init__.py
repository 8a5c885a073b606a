"""Files and batches: schema, generation, normalisation and loaders."""
