"""`make bench`: our times beside a peer's, in one run on one machine, as ratios."""
