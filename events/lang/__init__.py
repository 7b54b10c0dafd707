"""Small interpreters with Go's semantics: paths, expressions, templates, scripts.

Pure: no I/O, clock or random; those come in as arguments.
"""
