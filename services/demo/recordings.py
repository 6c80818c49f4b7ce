"""What the demo's recorders hold: which cameras hang on which, and the hours of which there is footage.

Each recorder is a folder in one of the layouts that a folder recorder reads. A file begins on a grid of its recorder
and depends on camera and moment alone, so that recording the same hour twice changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from services.demo.scene import Studio, View
from services.web.dependencies import DemoFootage

ZONE = ZoneInfo("Asia/Shanghai")  # of the site, and of the clock that the pictures show
EVENING, NOON = time(22, 46, 10), time(12)
RETENTION_DAYS = 30
# Of the first camera the stream was restarted: its segment of 22:48 ends early.
GAP_AFTER, BEFORE_GAP = time(22, 48), 38  # seconds
LONG_AGO = timedelta(days=12)  # how old the oldest footage is when the demo begins
RECENT = timedelta(minutes=20)  # how long ago the newest footage of today begins


@dataclass(frozen=True)
class Camera:
    """A camera of the demo; ``key`` names its row, ``channel`` is what its recorder calls it.

    ``evening``: how many seconds of each evening there are; ``recent``: there is a minute of today as well.
    """

    key: str
    channel: str
    zh: str
    en: str
    place_zh: str
    place_en: str
    scene: str
    mover: str
    path: tuple[int, int, int, int]
    seconds: int
    outdoors: bool = False
    sound: bool = False
    camera_class: str = "ordinary"
    days: int = RETENTION_DAYS
    evening: int = 50
    has_gap: bool = False
    recent: bool = False

    @property
    def view(self) -> View:
        label = f"{self.key.upper()} {self.zh} · {self.place_zh}"
        return View(self.scene, label, self.mover, self.path, self.seconds, self.outdoors, self.sound)


@dataclass(frozen=True)
class Recorder:
    """A recorder of the demo; its folder lies in the data folder. ``offset`` and ``length`` are of its files."""

    key: str
    name: str
    site: str
    folder: str
    layout: str
    cameras: tuple[Camera, ...]
    length: int  # seconds
    offset: timedelta = timedelta()

    def path(self, root: Path, camera: Camera, start: datetime) -> Path:
        """Return where the file of ``camera`` lies that begins at ``start``."""
        if self.layout == "frigate":
            return root / f"{start.astimezone(UTC):%Y-%m-%d/%H}" / camera.channel / f"{start.astimezone(UTC):%M.%S}.mp4"
        name = "%Y-%m-%d_%H-%M-%S-%f" if self.layout == "mediamtx" else "%Y%m%d_%H%M%S"
        return root / camera.channel / f"{start.strftime(name)}.mp4"

    def starts(self, start: datetime, seconds: int) -> Iterator[datetime]:
        """Yield when the files begin that hold something of these seconds."""
        since = timedelta(hours=start.hour, minutes=start.minute, seconds=start.second) - self.offset
        first = start.replace(microsecond=0) - since % timedelta(seconds=self.length)
        while first < start + timedelta(seconds=seconds):
            yield first
            first += timedelta(seconds=self.length)


RECORDERS = (
    Recorder(
        "recorder",
        "一号厂房录像机",
        "一号厂房",
        "recordings",
        "mediamtx",
        (
            Camera(
                *("cam1", "cam1", "生产车间A区", "Workshop A", "一号厂房一层", "Building 1, ground floor"),
                *("workshop", "forklift", (140, 190, 400, 236), 9),
                sound=True,
                evening=290,
                has_gap=True,
            ),
            Camera(
                *("cam2", "cam2", "成品仓库门口", "Warehouse door", "二号厂房北门", "Building 2, north door"),
                *("warehouse-door", "forklift", (20, 226, 500, 226), 11),
                sound=True,
                camera_class="sensitive",
                days=15,
                evening=100,
                outdoors=True,
            ),
        ),
        length=60,
        offset=timedelta(seconds=7, microseconds=242_666),
    ),
    Recorder(
        "perimeter-recorder",
        "园区周界录像机",
        "园区周界",
        "recorders/perimeter",
        "frigate",
        (
            Camera(
                *("cam3", "main-gate", "园区大门", "Main gate", "园区南侧主入口", "South entrance of the site"),
                *("gate", "car", (60, 250, 480, 250), 8, True),
                recent=True,
            ),
            Camera(
                *("cam4", "car-park", "员工停车场", "Staff car park", "办公楼西侧", "West of the office building"),
                *("parking", "car", (10, 186, 480, 186), 10, True),
                recent=True,
            ),
            Camera(
                *("cam5", "east-fence", "东侧围墙", "East fence", "园区东侧三号段", "East side, section 3"),
                *("fence", "guard", (20, 240, 500, 222), 20, True),
                days=2,
            ),
            Camera(
                *("cam6", "bicycle-shed", "非机动车棚", "Bicycle shed", "二号门内", "Inside gate 2"),
                *("bicycles", "person", (40, 246, 480, 246), 13, True),
                days=20,
            ),
            Camera(
                *("cam7", "weighbridge", "地磅", "Weighbridge", "物流通道", "Goods lane"),
                *("weighbridge", "truck", (30, 226, 480, 226), 14, True),
            ),
        ),
        length=10,
    ),
    Recorder(
        "office-recorder",
        "办公楼录像机",
        "办公楼与物流中心",
        "recorders/office",
        "plain",
        (
            Camera(
                *("cam8", "corridor-2f", "二层走廊", "Corridor, second floor", "办公楼二层", "Office, second floor"),
                *("corridor", "person", (180, 220, 340, 250), 10),
            ),
            Camera(
                *("cam9", "lobby", "办公楼大厅", "Office lobby", "办公楼一层", "Office, ground floor"),
                *("lobby", "person", (150, 210, 460, 240), 9),
                recent=True,
            ),
            Camera(
                *("cam10", "dock-1-3", "装卸平台", "Loading docks", "物流中心1至3号", "Logistics, docks 1 to 3"),
                *("dock", "forklift", (10, 206, 500, 230), 12),
            ),
            Camera(
                *("cam11", "aisle-03", "三号货架通道", "Aisle 03", "物流中心立体库", "Logistics, high-bay store"),
                *("aisle", "forklift", (190, 220, 320, 250), 8),
            ),
            Camera(
                *("cam12", "canteen", "员工食堂", "Canteen", "生活区一层", "Staff quarters, ground floor"),
                *("canteen", "person", (30, 160, 480, 180), 15),
                days=3,
            ),
        ),
        length=60,
    ),
)
CAMERAS = {camera.key: camera for recorder in RECORDERS for camera in recorder.cameras}
NEW = "cam12"  # hangs on its recorder only when the demo's cases are there, so that a retrieval fails before


def yesterday(now: datetime) -> date:
    """Return the day before, where the cameras are."""
    return (now.astimezone(ZONE) - timedelta(days=1)).date()


@dataclass(frozen=True)
class Footage:
    """From when to when a camera was recorded."""

    camera: Camera
    start: datetime
    end: datetime


def grouped(footage: Iterable[Footage]) -> list[DemoFootage]:
    """Return together which cameras were recorded at the same time, in the order of time."""
    held: dict[tuple[datetime, datetime], list[Camera]] = {}
    for one in footage:
        held.setdefault((one.start, one.end), []).append(one.camera)
    groups = sorted(held.items(), key=lambda group: (group[0][0], len(group[1])))
    return [
        DemoFootage(
            "、".join(camera.zh for camera in cameras),
            ", ".join(camera.en for camera in cameras),
            start,
            end,
            ZONE.key,
        )
        for (start, end), cameras in groups
    ]


class Recordings:
    """The recorders' folders below the data folder."""

    def __init__(self, data: Path, recorders: Sequence[Recorder] = RECORDERS) -> None:
        self._data = data.absolute()
        self._recorders = recorders
        self._studio: Studio | None = None

    def folder(self, recorder: Recorder) -> Path:
        return self._data / recorder.folder

    def record_evening(self, day: date, keys: Iterable[str] = CAMERAS) -> list[Footage]:
        """Record the evening of ``day``, each camera as long as it says."""
        start = datetime.combine(day, EVENING, ZONE)
        return [self.record(key, start, CAMERAS[key].evening) for key in keys]

    def record_recent(self, now: datetime) -> list[Footage]:
        """Record a minute of the last half-hour."""
        start = (now.astimezone(ZONE) - RECENT).replace(second=10, microsecond=0)
        return [self.record(camera.key, start, 50) for camera in CAMERAS.values() if camera.recent]

    def record_oldest(self, now: datetime) -> None:
        """Record the oldest that is held of each camera which keeps it so long."""
        start = datetime.combine((now.astimezone(ZONE) - LONG_AGO).date(), EVENING, ZONE)
        for camera in CAMERAS.values():
            if camera.days > LONG_AGO.days and camera.key != NEW:
                self.record(camera.key, start, 2, whole=False)

    def record(self, key: str, start: datetime, seconds: int, *, whole: bool = True) -> Footage:
        """Record a camera from ``start``; without ``whole`` its file ends with the span."""
        recorder = next(one for one in self._recorders if CAMERAS[key] in one.cameras)
        camera, root = CAMERAS[key], self.folder(recorder)
        begins, length = list(recorder.starts(start, seconds)), recorder.length if whole else seconds
        for begin in begins:
            path = recorder.path(root, camera, begin)
            gap = camera.has_gap and (begin.hour, begin.minute) == (GAP_AFTER.hour, GAP_AFTER.minute)
            if not path.exists():
                fragmented = recorder.layout == "mediamtx"
                self._drawn().film(camera.view, path, begin, BEFORE_GAP if gap else length, fragmented=fragmented)
        return Footage(camera, start, start + timedelta(seconds=seconds))

    def photograph(self, key: str) -> bytes:
        """Return a JPEG of what the camera sees by day."""
        return self._drawn().photograph(CAMERAS[key].view, datetime.combine(date.min, NOON, ZONE))

    def _drawn(self) -> Studio:
        if self._studio is None:
            self._studio = Studio([camera.view for camera in CAMERAS.values()])
        return self._studio
