"""Keep going: wake up when the tree changes or time has passed, and make one pass."""
