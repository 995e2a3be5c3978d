"""Turns the body of a request into an answer: readers, classifier, decision, batching, answers. Independent of HTTP."""
