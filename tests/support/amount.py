"""How much a run tests: a sample of the long tests (``make test``), or all of them (``make test-all``).

``FOOTAGE_DESK_CHAOS_SEEDS=7,8`` names the seeds of the random tests instead (``make chaos``).
"""

from collections.abc import Sequence

from run_variables import VALUES

VARIABLE = "FOOTAGE_DESK_TESTS"
SEEDS = "FOOTAGE_DESK_CHAOS_SEEDS"


def all_of_it() -> bool:
    """Return whether FOOTAGE_DESK_TESTS=all asks for every seed, example and database.

    Raises ValueError for a value that means nothing, so that a typing error does not test less unseen.
    """
    value = VALUES.get(VARIABLE, "sample")
    if value not in {"sample", "all"}:
        raise ValueError(f"{VARIABLE} is {value!r}: set it to 'all', or leave it unset for a sample.")
    return value == "all"


def examples(*, sample: int, full: int) -> int:
    """Return how many examples a property test or a loop of mutations runs."""
    return full if all_of_it() else sample


def seeds(*, sample: Sequence[int], full: Sequence[int]) -> list[int]:
    """Return the seeds of a test that is random."""
    return named_seeds() or list(full if all_of_it() else sample)


def named_seeds() -> list[int]:
    """Return the seeds that the run's environment names; none where it names none."""
    return [int(seed) for seed in VALUES.get(SEEDS, "").split(",") if seed]
