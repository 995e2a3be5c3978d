"""From the bytes of a request to an answer: readers, classifier, decision, batching, answers. Knows no HTTP."""
