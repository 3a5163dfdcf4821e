"""Networks of other programs, read without running anything from their files (docs/importing.md).

`machine`, `pickled` and `torchfile` read what such files are made of, one module an origin knows its names and
arithmetic, `kinds` and `opening` tell them apart.
"""
