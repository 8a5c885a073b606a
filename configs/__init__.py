"""The yaml files of the runs; a package so that an installed wheel carries them."""
