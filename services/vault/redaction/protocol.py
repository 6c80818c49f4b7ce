"""What the redacting process is given before its source: the length of the job, and the job as JSON."""

import struct

HEAD = struct.Struct(">I")
LARGEST_JOB = 4 << 20
