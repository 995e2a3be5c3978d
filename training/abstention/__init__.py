"""When the model may answer: decided on held-out data, with a guarantee for a finite sample.

`temperature` and `principal_components` shape the graph. `selective_risk`, `cost` and `conformal` draw the lines that
the manifest carries, each tested by the tails in `tails`; `certify` puts them together.
"""
