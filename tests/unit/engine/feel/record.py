"""Write `recorded.jsonl` anew: what the released FEEL engines answer to the expressions of `feel_expressions.py`.

`written.txt` has further expressions, one a line. Run it with `.venv/bin/python tests/unit/engine/feel/record.py` after
a change of the expressions. Each line is a list: an expression, or unary tests with their input; the answer of FEEL
1.18; and that of 1.19, where it is another one.
"""

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[4]), str(Path(__file__).parents[3] / "support")]

from feel_expressions import Generator, systematic  # noqa: E402 - found in the folder above
from feel_reference import VERSIONS, missing, theirs  # noqa: E402 - as above

SEED, RANDOM = 1, 1500

if __name__ == "__main__":
    if missing():
        sys.exit(missing())
    written = Path(__file__).with_name("written.txt").read_text(encoding="utf-8").splitlines()
    cases = list(dict.fromkeys([*written, *systematic(), *Generator(SEED).cases(RANDOM)]))
    answers = zip(cases, *(theirs(version, cases) for version in VERSIONS), strict=True)
    rows = [[case, *dict.fromkeys(found)] for case, *found in answers]
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    Path(__file__).with_name("recorded.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
