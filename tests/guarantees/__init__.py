"""The promises, tested on populations whose truth is known: `make test-guarantees`."""
