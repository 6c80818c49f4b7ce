"""The gauges say what the books hold."""

import pytest
from review_desk import ReviewDesk

from services.register import figures
from services.runtime import metrics


@pytest.mark.requirement("R62")
def test_the_gauges_say_what_the_books_hold(tmp_path: object) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/register.db")
    application_id = desk.submitted()
    desk.opened(application_id, "preliminary")

    desk.run(figures.count)

    assert metrics.APPLICATIONS.labels("approval")._value.get() == 1
    assert metrics.REVIEW_AGE.labels("preliminary")._value.get() == 0
    assert metrics.AUDIT_SIZE._value.get() > 0
    assert metrics.COPIES_OUT._value.get() == 0
