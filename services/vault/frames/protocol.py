"""What the process of single pictures is asked and answers.

The job: ``mode`` (strip, still, again), ``marks`` (bytes of the marks), ``pieces`` (bytes of each, or null for a place
that stays blank), and for a still ``at_ms`` after the first picture of its piece.
"""

CELL = (160, 90)  # pixels of one small picture
FINE = 2  # the quantizer of JPEG, the finest
SMALL = 5  # of a strip
TOLERANCE_MS = 5.0  # by which a player's moment may lie before its picture: it counts in seconds as floating numbers
