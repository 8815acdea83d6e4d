"""For provider authors and our own tests: a reference provider, builders, and the conformance suite."""
