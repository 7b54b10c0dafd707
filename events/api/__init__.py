"""Models of the v1alpha1 API: envelopes and shared structs, without the models of single kinds.

Pure: what a manifest says, and which of it is acceptable. The models of single source and trigger
kinds live beside their adapters in `events.sources` and `events.triggers`.
"""
