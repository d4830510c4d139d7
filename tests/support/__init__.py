"""Small real things that tests stand on."""
