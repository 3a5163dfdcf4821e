"""Networks of other programs, read without running anything from their files (docs/importing.md).

`machine`, `pickled` and `torchfile` read the file formats, one module per origin knows its names and arithmetic, and
`kinds` and `opening` tell the origins apart.
"""
