"""What was deployed to the process engine: the content of each file, and the versions of processes (R2)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class ModelFile(Base):
    """A file that was deployed; kept, because cases run on it after the folder has another one."""

    __tablename__ = "model_files"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]  # when it was first deployed
    content: Mapped[bytes]
    kept_at: Mapped[datetime]


class DeployedProcess(Base):
    """A version of a process as the engine numbers it, and the file that it is in.

    An engine that was made anew numbers from the start: the newest row of a key counts.
    """

    __tablename__ = "deployed_processes"

    process_definition_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    process_id: Mapped[str]
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("model_files.sha256"))
    deployed_at: Mapped[datetime]
