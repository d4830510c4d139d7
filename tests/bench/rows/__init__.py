"""A file a family of rows; every file here is found, so a new one needs no list."""
