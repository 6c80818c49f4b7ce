"""The pages of a batch of disposal: the list, its items, leaving one out, and the review that it is decided in."""

from pathlib import Path

from archived_case import PROPOSER, DisposalDesk, archived, further
from portal_client import Portal
from prepared_desk import prepared_desk


async def test_the_storage_office_goes_through_a_batch_on_its_pages(tmp_path: Path) -> None:
    prepared, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", archived)
    desk = DisposalDesk(prepared, ids)
    desk.desk.run(further, 1)
    desk.list_due()
    batch, [first, _second] = desk.batch, desk.items
    review_id = desk.open(batch, "disposal")
    async with Portal(desk.desk) as portal:
        browser = await portal.signed_in(PROPOSER)
        for address in ("/storage/disposals", f"/storage/disposals/{batch}", f"/matters/{batch}", "/matters", "/inbox"):
            answer = await browser.get(address)
            assert (answer.status_code, desk.matter(batch).number in answer.text) == (200, True), address
        review = await browser.get(f"/reviews/{review_id}")
        assert f"/storage/disposals/{batch}" in review.text
        assert f"/cases/{desk.application_id}" not in review.text  # it is about many cases

        marked = await browser.post(f"/api/disposals/{batch}/items/{first.id}", json={"because": "仍需使用"})
        assert marked.json()["counts"] == {"left-out": 1, "listed": 1}
        items = await browser.get(f"/api/disposals/{batch}/items?limit=1")
        assert [(line["state"], line["because"]) for line in items.json()] == [("left-out", "仍需使用")]
        assert 'rel="next"' in items.headers["Link"]
        assert "仍需使用" in (await browser.get(f"/storage/disposals/{batch}")).text

        form = f"/storage/disposals/{batch}/items/{first.id}"
        token = {"csrf_token": browser.headers["X-CSRF-Token"]}
        assert (await browser.post(form, data=token)).status_code == 303  # list it again
        blank = await browser.post(form, data={**token, "because": "  "})
        assert (blank.status_code, "请写明不销毁的理由。" in blank.text) == (422, True)
        left_out = await browser.post(form, data={**token, "because": "仍需使用"})
        assert left_out.status_code == 303
        csv = await browser.get(f"/storage/disposals/{batch}?form=csv")
        assert csv.text.count("\n") == 3
    desk.desk.close()
