"""Side by side with other libraries (extra `peers`)."""
