"""Whether the promises hold: `feedback` against the truth that came, `drift` by the inputs alone.

`feedback_store` and `windows` are where the counts are kept, `place` which of several workers keeps them where;
`confidence_sequence` has the bounds that hold at every look, `permutation_test` the test of one window.
"""
