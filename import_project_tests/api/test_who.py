"""Who may do and see what: tokens, roles, workspaces, cookies of our own page only; and what the audit log keeps."""

import hashlib

import pytest
import sqlalchemy as sa

from import_project.api.tokens import COOKIE
from import_project.demo import files
from import_project.records.jobs import Role
from import_project.store.ledger.desk_tables import tokens
from import_project_tests.api.conftest import Front
from import_project_tests.http_servers import ApiPeer

_JOB = "0" * 32
ROUTES = {
    Role.UPLOAD: [
        ("GET", "/me"),
        ("POST", "/jobs/ingest"),
        ("GET", "/jobs"),
        ("GET", f"/jobs/{_JOB}"),
        ("GET", f"/jobs/{_JOB}/events"),
        ("GET", f"/jobs/{_JOB}/issues"),
        ("GET", f"/jobs/{_JOB}/quarantine.csv"),
        ("POST", f"/jobs/{_JOB}/corrections"),
        ("POST", f"/jobs/{_JOB}/cancel"),
    ],
    Role.REVIEW: [
        ("GET", "/review/payments"),
        ("POST", "/review/payments/x/match"),
        ("POST", "/review/payments/x/reject"),
        ("GET", "/review/postings"),
        ("POST", "/review/postings/1"),
    ],
    Role.ADMIN: [("GET", "/audit")],
}
OPEN = {"/health", "/metrics", "/session"}


def test_every_route_asks_for_a_token_of_the_right_role(front: Front) -> None:
    described = front.client.get("/openapi.json").json()["paths"]
    named = {
        (m.upper(), p.replace("{job_id}", _JOB).replace("{payment}", "x").replace("{posting}", "1"))
        for p, methods in described.items()
        for m in methods
        if p not in OPEN
    }
    assert named == {one for some in ROUTES.values() for one in some}, "a new route belongs in this table"
    upload, review = front.token(role=Role.UPLOAD), front.token(role=Role.REVIEW)
    for role, some in ROUTES.items():
        for method, path in some:
            assert front.client.request(method, path).status_code == 401, path
            wrong = {"authorization": "Bearer ipd_000000000000_wrong"}
            assert front.client.request(method, path, headers=wrong).status_code == 401, path
            if role is not Role.UPLOAD:
                assert front.client.request(method, path, headers=upload, json={}).status_code == 403, path
            if role is Role.ADMIN:
                assert front.client.request(method, path, headers=review).status_code == 403, path


def test_a_workspace_never_sees_anothers_jobs(front: Front, api: ApiPeer) -> None:
    ours, theirs = front.token("finance", Role.ADMIN), front.token("sales", Role.ADMIN)
    job = front.hand_in(files.orders_csv(), "secret_name.csv", ours).json()["job_id"]
    front.import_waiting()
    for method, path in ROUTES[Role.UPLOAD]:
        if _JOB in path:
            answer = front.client.request(method, path.replace(_JOB, job), headers=theirs)
            assert (answer.status_code, "secret" in answer.text) == (404, False), path
    assert front.client.get("/jobs", headers=theirs).json() == {"jobs": [], "next": None}
    assert front.client.get(f"/jobs?before={job}", headers=theirs).status_code == 404
    copy = front.hand_in(files.orders_csv(), "copy.csv", theirs).json()["job_id"]
    front.import_waiting()
    for path in (f"/jobs/{copy}", f"/jobs/{copy}/issues", f"/jobs/{copy}/events", "/jobs", "/audit"):
        assert "secret_name" not in front.client.get(path, headers=theirs).text, path
    sheet = front.client.get(f"/jobs/{copy}/quarantine.csv", headers=theirs)
    assert sheet.status_code == 404, "the rows are the other workspace's"
    assert front.client.get("/audit", headers=ours).text.count("secret_name") == 1


def test_tokens_are_kept_as_hashes_and_end_at_once(front: Front) -> None:
    headers = front.token()
    secret = headers["authorization"].rpartition("_")[2]
    shown = headers["authorization"].removeprefix("Bearer ")
    with front.parts.ledger.database.read() as connection:
        (row,) = connection.execute(sa.select(tokens)).all()
    assert shown.split("_", 2)[2] not in str(row)
    assert row.hash == hashlib.sha256(shown.split("_", 2)[2].encode()).hexdigest()
    assert secret not in str(front.parts.ledger.tokens.all())
    assert front.client.get("/me", headers=headers).json()["name"] == "anna-upload"
    front.parts.ledger.tokens.revoke(row.id, "tests", front.parts.clock())
    assert front.client.get("/me", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"x-desk": "page"}, 202),
        ({}, 403),
        ({"x-desk": "page", "origin": "https://elsewhere.example"}, 403),
    ],
)
def test_changes_by_cookie_come_from_our_own_page_only(front: Front, extra: dict[str, str], status: int) -> None:
    token = front.token()["authorization"].removeprefix("Bearer ")
    signed_in = front.client.post("/session", json={"token": token})
    cookie = signed_in.headers["set-cookie"].lower()
    assert signed_in.status_code == 204
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert front.client.cookies[COOKIE] == token
    assert front.client.get("/me").status_code == 200
    assert front.hand_in(files.orders_csv(), files.ORDERS_NAME, extra).status_code == status
    front.client.delete("/session", headers={"x-desk": "page"})
    assert front.client.get("/me").status_code == 401


def test_wrong_token_signs_nobody_in(front: Front) -> None:
    assert front.client.post("/session", json={"token": "ipd_a_b"}).status_code == 401
    assert COOKIE not in front.client.cookies


def test_audit_tells_who_did_what(front: Front) -> None:
    headers, admin = front.token(name="erp"), front.token(role=Role.ADMIN)
    job = front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers).json()["job_id"]
    front.client.post(f"/jobs/{job}/cancel", headers=headers)
    told = front.client.get("/audit", headers=admin).json()["entries"]
    assert [(one["by"], "handed in" in one["facts"], "taken back" in one["facts"]) for one in told] == [
        ("tests", False, False),
        ("tests", False, False),
        ("finance/erp-upload", True, False),
        ("finance/erp-upload", False, True),
    ]
    assert all('"workspace":"finance"' in one["facts"] for one in told[:2]), "tokens, whoever made them"
    (token, *_) = front.parts.ledger.tokens.all("finance")
    front.token("sales")
    front.parts.ledger.tokens.revoke(token.id, "root", front.parts.clock())
    (*_, last) = front.client.get("/audit", headers=admin).json()["entries"]
    assert (last["by"], "revoked" in last["facts"]) == ("root", True)


def test_page_and_its_files_load_nothing_from_elsewhere(front: Front) -> None:
    for path in ("/", "/docs", "/static/page.css", "/static/page.js", "/static/review.js", "/static/docs.js"):
        answer = front.client.get(path)
        assert answer.status_code == 200, path
        assert "http://" not in answer.text.replace("http://127.0.0.1", "")
        assert "https://" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert front.client.get("/static/../app.py").status_code == 404
