"""From fitted weights to one published file: graph, manifest, proof, release."""
