"""Recorders and cameras: the catalogue of what can be retrieved, and for how long it exists (R7, R10).

Neither is ever deleted: cases point to them. One that is not ``active`` can be asked for no more.
"""

UPLOADED = "upload"  # the kind of recorder that is a file a person brought (register.uploads)
