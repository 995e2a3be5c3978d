"""Whether the promises hold: `feedback` against the truth that came, `drift` by the inputs alone.

`feedback_store` and `windows` are where the counts are kept, `place` which of several workers keeps them where.
`judging` holds answers against certificates, by `alarm` and by the bounds of `confidence_sequence`, which hold at every
look; `permutation_test` tests one window of inputs.
"""
