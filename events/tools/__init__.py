"""The developer's tools, offline: what is wrong with manifests, and what they would do."""
