"""What can go wrong with files, by name, so that a door can print the message alone."""


class DataError(ValueError):
    """A file, a split or a field map is not what it should be; the message says got, wanted and fix."""


class StorageError(OSError):
    """The disk is full or the folder cannot be written; whatever was finished is still there."""
