"""`make results`, `make compare`, `make package`: the runs that the store has, what differs in two, an archive."""
