"""Handing in, watching, reading what was wrong, correcting, taking back; over the real application."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from import_project.demo import files
from import_project.pipeline.steps import run_file, run_named
from import_project.records.audit import Act
from import_project.records.jobs import Role
from import_project_tests.api.conftest import Front, write_workspace
from import_project_tests.formats.test_trial import far_sheet
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import rewrite_feed
from import_project_tests.servers import SftpPeer


def get(front: Front, path: str, headers: dict[str, str]) -> Any:
    answer = front.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_file_is_handed_in_imported_and_told_row_by_row(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    answer = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['job_id']}"
    assert (job["status"], job["total_rows"], job["progress_percentage"]) == ("pending", 0, 0.0)
    assert job["started_at"] is None
    assert front.import_waiting() == 1
    done = get(front, f"/jobs/{job['job_id']}", headers)
    assert (done["status"], done["total_rows"], done["processed_rows"]) == ("completed", 10, 10)
    assert (done["progress_percentage"], done["posted_rows"], done["quarantined_rows"]) == (100.0, 5, 5)
    assert done["started_at"] <= done["completed_at"]
    assert done["seconds"]["outside"] < done["seconds"]["whole"]
    assert len(api.effects) == 5
    told = get(front, f"/jobs/{job['job_id']}/issues", headers)
    assert told["total"] >= 5
    first = next(one for one in told["issues"] if one["severity"] == "error")
    assert {"severity", "issue_type", "message", "row_number", "created_at"} <= set(first)
    assert first["row_number"] is not None
    page = get(front, f"/jobs/{job['job_id']}/issues?limit=2", headers)
    assert (len(page["issues"]), page["next_offset"]) == (2, 2)
    rest = get(front, f"/jobs/{job['job_id']}/issues?offset=2&limit=1000", headers)
    assert page["issues"] + rest["issues"] == told["issues"]
    assert get(front, "/jobs", headers)["jobs"][0]["job_id"] == job["job_id"]


def test_rows_set_aside_are_downloaded_corrected_and_handed_in_again(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    front.import_waiting()
    sheet = front.client.get(f"/jobs/{job['job_id']}/quarantine.csv", headers=headers)
    assert sheet.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert all(row["reasons"] for row in rows)
    for n, row in enumerate(rows):
        row |= {
            "order_id": f"ZZ-{n:06d}",
            "customer": "Nils",
            "ordered_on": "2026-11-20",
            "amount": "10,00",
            "currency": "SEK",
            "items": "1",
        }
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    answer = front.client.post(
        f"/jobs/{job['job_id']}/corrections", files={"file": ("fixed.csv", out.getvalue().encode())}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["replayed"], answer.json()["still_quarantined"]) == (5, 0)
    assert answer.json()["job"]["quarantined_rows"] == 0
    assert len(api.effects) == 10
    (by_hand,) = [one for one in front.parts.ledger.audit.entries() if one.what is Act.CORRECTED]
    assert (by_hand.done_by, json.loads(by_hand.facts)["replayed"]) == ("finance/anna-upload", 5)
    (*_, last) = get(front, "/audit", front.token(role=Role.ADMIN))["entries"][:-1]
    assert (last["what"], last["by"]) == ("corrected", "finance/anna-upload")
    gone = front.client.get(f"/jobs/{job['job_id']}/issues", headers=headers).json()
    assert [one for one in gone["issues"] if one["severity"] == "error"] == []
    not_a_sheet = front.client.post(
        f"/jobs/{job['job_id']}/corrections", files={"file": ("fixed.csv", b"x\n1\n")}, headers=headers
    )
    assert not_a_sheet.status_code == 400
    far = front.client.post(  # a kilobyte that asks for terabytes: it ended the whole desk
        f"/jobs/{job['job_id']}/corrections", files={"file": ("far.xlsx", far_sheet())}, headers=headers
    )
    assert (far.status_code, front.client.get("/me", headers=headers).status_code) == (400, 200)


def test_bank_file_has_matches_and_sums(front: Front, api: ApiPeer, sftp: SftpPeer) -> None:
    api.invoices = files.invoices()
    headers = front.token()
    job = front.hand_in(files.bgmax(), files.BGMAX_NAME, headers, feed="bankgiro").json()
    front.import_waiting()
    done = get(front, f"/jobs/{job['job_id']}", headers)
    assert (done["status"], done["matched"], done["unmatched"]) == ("completed", 5, 3)
    assert done["sums"] == {"SEK": "8085.00"}
    assert list((sftp.root / "out").iterdir()) == [], "nothing is looked for at the bank's server"


def test_archive_ends_when_the_files_in_it_have(front: Front, api: ApiPeer) -> None:
    feed = Path(front.installation.environ["IMPORT_PROJECT_FEEDS"], "orders.yaml")
    rewrite_feed(feed, files={"unpack": {"members": "*.csv"}})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", files.orders_csv())
        archive.writestr("two.csv", files.orders_csv().replace(b"AB-", b"CD-"))
        archive.writestr("three.csv", b"no header\n1\n")
    headers = front.token()
    answer = front.hand_in(packed.getvalue(), "both.zip", headers)
    assert answer.status_code == 202, answer.text
    job = answer.json()["job_id"]
    arrival = front.parts.ledger.jobs.take(front.parts.clock(), again_at=front.parts.clock())
    assert arrival is not None
    run_file(front.parts, front.installation.feed("orders"), arrival.partition or "", owner="run-1")
    assert get(front, f"/jobs/{job}", headers)["status"] == "running", "the files in it wait"
    assert [j["job_id"] for j in get(front, "/jobs?status=running", headers)["jobs"]] == [job]
    assert front.import_waiting() == 3
    told = get(front, f"/jobs/{job}", headers)
    assert (told["status"], told["total_rows"], told["posted_rows"], told["quarantined_rows"]) == ("failed", 20, 10, 10)
    assert [j["job_id"] for j in get(front, "/jobs?status=failed", headers)["jobs"]] == [job]
    issues = get(front, f"/jobs/{job}/issues", headers)["issues"]
    assert issues[0]["message"].startswith("three.csv: ")
    assert any(one["message"].startswith("two.csv: ") and one["row_number"] for one in issues)
    assert len(api.effects) == 10


def test_refused_file_is_a_failed_job_with_the_reason(front: Front) -> None:
    headers = front.token()
    wrong = files.bgmax().replace(b"7000000009", b"7000000008")
    job = front.hand_in(wrong, files.BGMAX_NAME, headers, feed="bankgiro").json()
    front.import_waiting()
    failed = get(front, f"/jobs/{job['job_id']}", headers)
    assert failed["status"] == "failed"
    assert "C6" in failed["message"]
    (issue,) = get(front, f"/jobs/{job['job_id']}/issues", headers)["issues"]
    assert (issue["severity"], issue["row_number"]) == ("error", None)
    again = front.hand_in(files.bgmax(), files.BGMAX_NAME, headers, feed="bankgiro").json()
    assert again["job_id"] != job["job_id"]


@pytest.mark.parametrize(
    ("name", "content", "feed", "status", "told"),
    [
        ("orders.pdf", b"x", "orders", 415, "it takes"),
        ("orders.csv", b"", "orders", 400, "empty"),
        ("orders.csv", b"x", "nothing", 404, "has no feed"),
        ("orders.csv", b"x" * 5000, "orders", 413, "more than 4,096 bytes"),
        ("../orders.csv", b"x", "orders", 400, "no name of a file"),
        ("x" * 300 + ".csv", b"x", "orders", 400, "no name of a file"),
    ],
)
def test_what_is_not_taken_makes_no_job(
    front: Front, name: str, content: bytes, feed: str, status: int, told: str
) -> None:
    write_workspace(front.installation, "finance", limits={"most_bytes": 4096})
    headers = front.token()
    answer = front.hand_in(content, name, headers, feed=feed)
    assert (answer.status_code, set(answer.json())) == (status, {"error", "do"})
    assert told in f"{answer.json()['error']} {answer.json()['do']}"
    assert get(front, "/jobs", headers)["jobs"] == []


@pytest.mark.parametrize("body", [b"", b"no form", b"--x\r\nContent-Disposition: form-data; name=feed\r\n\r\norders"])
def test_forms_that_cannot_be_read_are_told(front: Front, body: bytes) -> None:
    headers = {**front.token(), "content-type": "multipart/form-data; boundary=x"}
    assert front.client.post("/jobs/ingest", content=body, headers=headers).status_code == 400
    headers["content-type"] = "text/plain"
    assert front.client.post("/jobs/ingest", content=body, headers=headers).status_code == 400


def test_file_that_breaks_off_makes_no_job(front: Front) -> None:
    headers = {**front.token(), "content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="feed"\r\n\r\norders\r\n--x\r\n'
    head += b'Content-Disposition: form-data; name="file"; filename="orders.csv"\r\n\r\norder_id;amount\r\n'
    answer = front.client.post("/jobs/ingest", content=head, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "the file broke off")
    assert get(front, "/jobs", headers)["jobs"] == []


def test_limits_of_a_workspace_are_told_with_when_to_come_again(front: Front) -> None:
    write_workspace(front.installation, "finance", limits={"most_waiting": 2})
    write_workspace(front.installation, "sales", limits={"uploads_a_minute": 2})
    for workspace in ("finance", "sales"):
        headers = front.token(workspace)
        statuses = [front.hand_in(b"a;b\n%d" % n, f"o{n}.csv", headers) for n in range(3)]
        assert [one.status_code for one in statuses] == [202, 202, 429]
        assert int(statuses[-1].headers["retry-after"]) > 0


def test_same_key_is_the_same_job_and_same_bytes_are_imported_once(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    keyed = {**headers, "idempotency-key": "upload-1"}
    one, two = (front.hand_in(files.orders_csv(), files.ORDERS_NAME, keyed).json() for _ in range(2))
    assert one["job_id"] == two["job_id"]
    landed = sorted(front.parts.landing.root.rglob("*"))
    stranger = front.hand_in(files.orders_csv().replace(b"AB-", b"CD-"), files.ORDERS_NAME, keyed)
    assert sorted(front.parts.landing.root.rglob("*")) == landed, "nothing is left of what is refused"
    assert (stranger.status_code, stranger.json()["error"]) == (409, "the key came with another file before")
    other = front.hand_in(files.orders_csv(), "again.csv", headers).json()
    front.import_waiting()
    told = get(front, f"/jobs/{other['job_id']}", headers)
    assert (told["status"], told["posted_rows"]) == ("completed", 0)
    assert "same bytes came before" in told["message"]
    assert files.ORDERS_NAME not in told["message"], "it may be another workspace's"
    assert len(api.effects) == 5


def test_files_of_one_name_and_size_in_one_second_are_each_imported(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    for letters in (b"AB-", b"CD-", b"EF-"):
        front.hand_in(files.orders_csv().replace(b"AB-", letters), files.ORDERS_NAME, headers)
    front.import_waiting()
    assert {j["status"] for j in get(front, "/jobs", headers)["jobs"]} == {"completed"}
    assert len(api.effects) == 15


def test_file_that_waits_is_taken_back_and_may_be_handed_in_again(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    cancelled = front.client.post(f"/jobs/{job['job_id']}/cancel", headers=headers)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert front.import_waiting() == 0
    assert front.client.post(f"/jobs/{job['job_id']}/cancel", headers=headers).status_code == 409
    front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers)
    assert front.import_waiting() == 1
    assert len(api.effects) == 5
    assert front.client.post(f"/jobs/{job['job_id']}/cancel", headers=headers).status_code == 409


def test_same_bytes_handed_in_twice_are_imported_whichever_is_taken_back(front: Front, api: ApiPeer) -> None:
    ours, theirs = front.token("finance"), front.token("sales")
    first = front.hand_in(files.orders_csv(), "a.csv", ours).json()["job_id"]
    front.hand_in(files.orders_csv(), "b.csv", theirs)
    assert front.client.post(f"/jobs/{first}/cancel", headers=ours).json()["status"] == "cancelled"
    front.import_waiting()
    assert len(api.effects) == 5, "the second is the one that brings them now"
    other = files.orders_csv().replace(b"AB-", b"CD-")
    third = front.hand_in(other, "c.csv", ours).json()["job_id"]
    fourth = front.hand_in(other, "d.csv", theirs).json()["job_id"]
    duplicate = front.parts.ledger.jobs.of("sales", fourth)
    assert duplicate is not None
    feed, partition = front.installation.feed("orders"), duplicate.arrival.partition or ""
    run_named(front.parts, feed, partition, owner="run-1", step="receive")
    assert front.client.get(f"/jobs/{fourth}", headers=theirs).json()["status"] == "completed"
    assert front.client.post(f"/jobs/{third}/cancel", headers=ours).status_code == 409, "the fourth counts on it"
    front.import_waiting()
    assert len(api.effects) == 10


def test_file_that_a_run_works_on_ends_with_its_next_step(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    taken = front.parts.ledger.jobs.of("finance", job["job_id"])
    assert taken is not None
    partition, feed = taken.arrival.partition or "", front.installation.feed("orders")
    run_named(front.parts, feed, partition, owner="run-1", step="receive")
    assert get(front, f"/jobs/{job['job_id']}", headers)["status"] == "running"
    assert front.client.post(f"/jobs/{job['job_id']}/cancel", headers=headers).json()["status"] == "running"
    with pytest.raises(Exception, match="taken back by finance/anna"):
        run_named(front.parts, feed, partition, owner="run-1", step="parse_file")
    assert get(front, f"/jobs/{job['job_id']}", headers)["status"] == "cancelled"
    assert api.effects == []


def test_rows_that_are_being_posted_cannot_be_taken_back(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    api.mode = "refuse_us"
    front.import_waiting()
    waits = get(front, f"/jobs/{job['job_id']}", headers)
    assert waits["status"] == "pending"
    assert "401" in waits["message"]
    assert front.client.post(f"/jobs/{job['job_id']}/cancel", headers=headers).status_code == 409
    api.mode = "ok"
    front.installation.clock.advance(hours=2)
    front.import_waiting()
    assert get(front, f"/jobs/{job['job_id']}", headers)["status"] == "completed"
    assert len(api.effects) == 5


def test_a_killed_run_leaves_no_job_running(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    taken = front.parts.ledger.jobs.of("finance", job["job_id"])
    assert taken is not None
    run_named(
        front.parts, front.installation.feed("orders"), taken.arrival.partition or "", owner="gone", step="receive"
    )
    assert [j["status"] for j in get(front, "/jobs?status=running", headers)["jobs"]] == ["running"]
    front.installation.clock.advance(minutes=2)
    assert front.import_waiting() == 1
    assert get(front, "/jobs?status=running", headers)["jobs"] == []
    assert get(front, f"/jobs/{job['job_id']}", headers)["status"] == "completed"


def test_jobs_are_listed_by_state_and_page(front: Front) -> None:
    headers = front.token()
    made = [front.hand_in(b"a;b\n%d" % n, f"o{n}.csv", headers).json()["job_id"] for n in range(5)]
    first = get(front, "/jobs?limit=2", headers)
    assert [j["job_id"] for j in first["jobs"]] == [made[4], made[3]]
    second = get(front, f"/jobs?limit=2&before={first['next']}", headers)
    assert [j["job_id"] for j in second["jobs"]] == [made[2], made[1]]
    assert get(front, "/jobs?status=completed", headers)["jobs"] == []
    assert len(get(front, "/jobs?feed=orders&status=pending", headers)["jobs"]) == 5


def test_events_tell_each_change_to_the_end(front: Front, api: ApiPeer) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    front.import_waiting()
    with front.client.stream("GET", f"/jobs/{job['job_id']}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert json.loads(lines[-1].removeprefix("data: "))["status"] == "completed"


def test_events_end_with_the_token(front: Front) -> None:
    headers = front.token()
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()
    (token, *_) = front.parts.ledger.tokens.all()
    with front.client.stream("GET", f"/jobs/{job['job_id']}/events", headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: job"
        front.parts.ledger.tokens.revoke(token.id, "tests", front.parts.clock())
        assert [line for line in lines if line.startswith("event: ")] == []


def test_database_that_is_down_is_told_and_no_job_is_made(open_desk: Callable[..., Front]) -> None:
    front = open_desk(IMPORT_PROJECT_LEDGER="postgresql://nobody@127.0.0.1:1/none")
    answer = front.client.post("/jobs/ingest", headers={"authorization": "Bearer ipd_abc_def"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert front.client.get("/health").json()["database"] != "ok"
