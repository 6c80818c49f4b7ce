"""What the demo's cameras recorded: the clock in each picture says when it is from; each recorder has its layout."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import pytest

from services.demo import plots, recordings, scene, situations
from services.demo.recordings import CAMERAS, RECORDERS, ZONE, Recorder, Recordings
from services.demo.scene import Studio, View
from services.recorders.folder.recorder import FolderRecorder
from services.runtime.spans import Span

DAY = date(2031, 3, 4)
START = datetime(2031, 3, 4, 22, 46, 10, tzinfo=ZONE)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """Two seconds of each camera."""
    made = Recordings(tmp_path_factory.mktemp("drawn"))
    for key in CAMERAS:
        made.record(key, START, 2, whole=False)
    return made


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio([CAMERAS["cam1"].view])


def opened(drawn: Recordings, recorder: Recorder) -> FolderRecorder:
    configuration = {"root": str(drawn.folder(recorder)), "layout": recorder.layout, "zone": ZONE.key}
    return FolderRecorder.from_configuration(configuration)


def shown(studio: Studio, picture: av.VideoFrame) -> str:
    """Read the clock from a picture: for each place the figure that is most like it."""
    plane, (width, height), (x, y) = picture.planes[0], scene.FIGURE, scene.CLOCK_AT
    held = bytes(plane)

    def unlike(place: int, figure: list[bytes]) -> int:
        rows = (held[(y + row) * plane.line_size + x + place * width :][:width] for row in range(height))
        return sum(abs(a - b) for row, drawn in zip(rows, figure, strict=True) for a, b in zip(row, drawn, strict=True))

    figures = studio.figures
    return "".join(
        min(figures, key=lambda figure, place=place: unlike(place, figures[figure]))
        for place in range(len("2031-03-04 22:46:10"))
    )


@pytest.mark.parametrize("recorder", RECORDERS, ids=lambda recorder: recorder.layout)
async def test_the_clock_in_the_picture_is_the_time_that_the_recorder_says(
    drawn: Recordings, studio: Studio, recorder: Recorder, tmp_path: Path
) -> None:
    camera = recorder.cameras[0]
    span = Span(START - timedelta(minutes=1), START + timedelta(minutes=1))

    [segment] = [one async for one in opened(drawn, recorder).fetch(camera.channel, span)]
    body = b"".join([chunk async for chunk in segment.open()])
    (tmp_path / "segment.mp4").write_bytes(body)
    with av.open(str(tmp_path / "segment.mp4")) as container:
        pictures = list(container.decode(video=0))

    assert len(pictures) == 2 * scene.FPS
    for picture in pictures:
        moment = segment.span.start + timedelta(seconds=float(picture.pts * picture.time_base))
        local = (moment + timedelta(milliseconds=1)).astimezone(ZoneInfo("Asia/Shanghai"))  # a third is no decimal
        assert shown(studio, picture) == f"{local:%Y-%m-%d %H:%M:%S}"


async def test_twelve_cameras_hang_on_three_recorders_of_different_layouts(drawn: Recordings) -> None:
    found = [(await opened(drawn, recorder).probe()) for recorder in RECORDERS]

    assert [facts.model for facts in found] == ["mediamtx", "frigate", "plain"]
    assert [len(facts.oldest_frame) for facts in found] == [2, 5, 5]
    for recorder, facts in zip(RECORDERS, found, strict=True):
        assert facts.oldest_frame.keys() == {camera.channel for camera in recorder.cameras}
    assert [camera.key for camera in CAMERAS.values() if camera.camera_class == "sensitive"] == ["cam2"]


def test_each_camera_sees_something_else_in_which_something_moves(drawn: Recordings) -> None:
    pictures = {drawn.photograph(key) for key in CAMERAS}
    assert len(pictures) == len(CAMERAS)
    assert len({camera.view.label for camera in CAMERAS.values()}) == len(CAMERAS)
    for recorder in RECORDERS:
        for camera in recorder.cameras:
            [path] = drawn.folder(recorder).rglob(f"*{camera.channel}*/*.mp4")
            with av.open(str(path)) as container:
                bodies = [bytes(packet) for packet in container.demux(video=0) if packet.size]
            assert len(set(bodies)) == len(bodies)


def test_the_same_minute_is_the_same_film_and_what_is_there_stays(studio: Studio, tmp_path: Path) -> None:
    view = CAMERAS["cam1"].view
    for name in ("one", "other"):
        studio.film(view, tmp_path / name / "film.mp4", START, 2)
    films = [(tmp_path / name / "film.mp4").read_bytes() for name in ("one", "other")]
    assert films[0] == films[1]
    assert not list(tmp_path.rglob(".*"))  # nothing half-written
    studio.film(view, tmp_path / "one" / "film.mp4", START, 4)
    assert (tmp_path / "one" / "film.mp4").read_bytes() == films[0]


def test_files_begin_on_the_grid_of_their_recorder_so_that_spans_that_overlap_share_them() -> None:
    first, second, _ = RECORDERS
    assert [f"{one:%H:%M:%S.%f}" for one in first.starts(START, 60)] == ["22:46:07.242666", "22:47:07.242666"]
    assert [f"{one:%H:%M:%S}" for one in second.starts(START + timedelta(seconds=5), 10)] == ["22:46:10", "22:46:20"]


async def test_the_first_camera_has_a_gap_of_twenty_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed: dict[str, int] = {}

    def film(_: Studio, view: View, path: Path, start: datetime, seconds: int, *, fragmented: bool = False) -> None:
        assert fragmented
        filmed[f"{start:%H:%M}"] = seconds

    monkeypatch.setattr(Studio, "film", film)
    Recordings(tmp_path).record_evening(DAY, ["cam1"])
    assert filmed == {"22:46": 60, "22:47": 60, "22:48": 38, "22:49": 60, "22:50": 60}


def test_yesterday_is_that_of_the_cameras() -> None:
    assert recordings.yesterday(datetime(2031, 3, 4, 15, 59, tzinfo=UTC)) == date(2031, 3, 3)
    assert recordings.yesterday(datetime(2031, 3, 4, 16, 0, tzinfo=UTC)) == date(2031, 3, 4)


def test_three_dozen_cases_of_every_stage_each_with_its_own_number() -> None:
    all_of_them = [plot for chapter in situations.CHAPTERS for plot in chapter.plots]
    assert len(all_of_them) == 36
    assert len({plot.reference for plot in all_of_them}) == 36
    assert len({plot.reason for plot in all_of_them}) >= 35
    reached = {plot.target for plot in all_of_them}
    assert reached >= {plots.DRAFT, plots.DEPARTMENT, plots.SECURITY, plots.SIGNATURE, plots.MANAGEMENT, plots.RELEASE}
    assert reached >= {plots.PARTIAL, plots.OFFERED, plots.LENT, plots.ARCHIVED, plots.STUCK, plots.RETURNED}
    downloads = [plot for plot in plots.TODAY if plot.way_of_use == "download"]
    assert plots.LENT in {plot.target for plot in downloads}  # one can be tried
    assert reached >= {plots.REJECTED, plots.REJECTED_BY_HEAD, plots.WITHDRAWN}
    assert {span.camera for plot in all_of_them for span in plot.spans} == CAMERAS.keys()
    assert all(plot.words for plot in all_of_them if plot.target in plots.REFUSALS or plot.target == plots.WITHDRAWN)
