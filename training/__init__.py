"""From a config to a trained operator: run, step, losses, checkpoints, logs and reports."""
