"""The daily maintenance of what is stored: how fast all of it is read again, and who reads in the stores."""

from pydantic import Field

from services.runtime.settings.kinds import Days, Part


class MaintenanceSettings(Part):
    """Rolling verification and reconciliation."""

    reverify_days: Days = Field(
        default=180, description="within how many days each master and each replica is read again and compared"
    )
    reverify_gigabytes: int = Field(
        default=300,
        ge=1,
        le=1_000_000,
        description="how many gigabytes are read for that on a day at the most; of 50 TB with replicas, 600 are needed",
    )
    least_free_percent: int = Field(
        default=10,
        ge=0,
        le=90,
        description="a store with less free space than this, in per cent, is in bad health; 0: whatever is free",
    )
    own_requesters: str = Field(
        default="",
        description="names under which this program reads and writes in the stores, as their access logs write them, "
        "with commas between; the access keys of the settings count by themselves",
    )
