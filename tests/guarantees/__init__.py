"""The promises, held against populations where the truth is known: `make test-guarantees`."""
