from __future__ import annotations

import os

import anyio
import pytest

from eventflow.errors import JournalError
from eventflow.logs.files import Page
from eventflow.logs.lines import Line


async def test_health_tells_who_answers_and_how_far_the_journal_has_come(asked) -> None:
    async with asked() as api:
        await api.event(1)
        known = await api.get("/api/health")
        assert (known["pid"], known["seq"], known["full"], known["sensors"]) == (os.getpid(), 1, False, [])
        assert known["version"][0].isdigit()


async def test_pipelines_are_listed_and_shown_with_graph_and_schema(asked) -> None:
    async with asked() as api:
        listed = await api.get("/api/pipelines")
        assert [one["pipeline"] for one in listed] == ["words", "odds", "gated", "stubborn"]
        known = await api.get("/api/pipelines/words")
        assert known["pipeline"]["description"] == "Words, doubled."
        assert (known["pipeline"]["tags"], known["pipeline"]["owner"]) == (["sample"], "ada")
        assert [node["name"] for node in known["graph"]["nodes"]] == ["load", "double", "report"]
        assert known["parameters"]["properties"]["path"] == {"type": "string", "format": "path"}
        assert (await api.get("/api/pipelines/word", 404))["error"] == "there is no pipeline 'word': there is gated, odds, stubborn, words"


async def test_a_submitted_run_is_shown_with_arguments_nodes_and_result(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="a")
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert known["run"]["state"] == "succeeded"
        assert known["arguments"] == {"path": {"$path": "a"}, "times": 2}
        assert [(node["node"], node["state"], node["upstream"]) for node in known["nodes"]] == [
            ("load", "succeeded", []),
            ("double", "succeeded", ["load"]),
            ("report", "succeeded", ["double"]),
        ]
        assert known["result"] == {"json": {"said": "aa"}, "artifact": None}
        assert known["nodes"][1]["result"]["json"] == "aa"
        assert known["nodes"][1]["attempts"][0]["state"] == "succeeded"


async def test_typed_texts_are_read_by_the_parameters_types(asked) -> None:
    async with asked() as api:
        run = (await api.post("/api/runs", {"pipeline": "words", "texts": {"path": "3", "times": "3"}}, 201))["run"]
        assert (await api.get(f"/api/runs/{run}"))["arguments"] == {"path": {"$path": "3"}, "times": 3}


async def test_the_same_key_gives_the_same_run(asked) -> None:
    async with asked() as api:
        wanted = {"pipeline": "words", "parameters": {"path": "a"}, "key": "k"}
        assert (await api.post("/api/runs", wanted, 201))["run"] == (await api.post("/api/runs", wanted, 201))["run"]


async def test_nodes_that_have_not_begun_are_shown_as_pending(asked, gate) -> None:
    async with asked() as api:
        release = gate("pending")
        run = await api.submit("gated", name="pending")
        known = await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        assert known["nodes"][0]["attempts"] == [
            {
                "attempt": 1,
                "state": "running",
                "started_at": known["nodes"][0]["started_at"],
                "ended_at": None,
                "reason": None,
                "failure": None,
            }
        ]
        assert (known["nodes"][1]["state"], known["nodes"][1]["attempts"]) == ("pending", [])
        release.set()
        await api.end(run)


async def test_a_pickled_result_is_named_and_not_opened(asked) -> None:
    async with asked() as api:
        run = await api.submit("odds")
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert known["result"]["json"] is None
        assert known["result"]["artifact"].startswith("artifact: pickle, ")


async def test_a_failed_run_shows_its_failure_and_who_could_not_run(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="bad")
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert (known["run"]["state"], known["run"]["reason"], known["failure"]["type"]) == ("failed", "double", "ValueError")
        assert [(node["state"], node["reason"]) for node in known["nodes"]] == [
            ("succeeded", None),
            ("failed", "failed"),
            ("upstream_failed", "double"),
        ]
        assert known["nodes"][1]["attempts"][0]["failure"]["message"].startswith("no good")


async def test_runs_are_listed_newest_first_filtered_and_page_by_page(asked) -> None:
    async with asked() as api:
        runs = [await api.submit("words", path=path) for path in ("a", "bad", "c")]
        for run in runs:
            await api.end(run)
        listed = await api.get("/api/runs")
        assert [one["run"] for one in listed] == runs[::-1]
        assert [one["run"] for one in await api.get("/api/runs", state="failed")] == [runs[1]]
        assert [one["run"] for one in await api.get("/api/runs", state="failed,succeeded", limit=2)] == [runs[2], runs[1]]
        assert [one["run"] for one in await api.get("/api/runs", before=listed[0]["seq"], limit=1)] == [runs[1]]
        assert await api.get("/api/runs", pipeline="odds") == []


@pytest.mark.parametrize(
    ("address", "query", "said"),
    [
        ("/api/runs", {"state": "done"}, "'done' is no state: there is cancelled, failed, held, queued, running, succeeded, suspended"),
        ("/api/runs", {"limit": "0"}, "limit is a whole number from 1 to 1000, not '0'"),
        ("/api/runs", {"limit": "1001"}, "limit is a whole number from 1 to 1000, not '1001'"),
        ("/api/runs", {"before": "²"}, "before is a whole number from 0 to 9223372036854775807, not '²'"),
        (
            "/api/runs",
            {"pipeline": "../x"},
            "'../x' can't name a pipeline: use a-z, 0-9, _ and -, beginning with a letter or _, at most 64 characters",
        ),
        ("/api/runs", {"order": "seq"}, "'order' is no parameter of this question: there is state, pipeline, limit, before"),
        ("/api/facts", {"wait": "nan"}, "wait is a number of seconds, not 'nan'"),
        ("/api/facts", {"wait": "-1"}, "wait is a number of seconds, not '-1'"),
        ("/api/facts", {"wait": "soon"}, "wait is a number of seconds, not 'soon'"),
        (
            "/api/events",
            {"source": "a b"},
            "'a b' can't name a source: use a-z, 0-9, _ and -, beginning with a letter or _, at most 64 characters",
        ),
        ("/api/health", {"x": "1"}, "'x' is no parameter of this question: there is none"),
        ("/api/runs/abc", {}, "'abc' is too short: give at least the last 4 digits of the id"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_words(asked, address, query, said) -> None:
    async with asked() as api:
        assert (await api.get(address, 400, **query))["error"] == said


async def test_a_run_is_found_by_its_last_digits(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="a")
        for typed in (run[-4:], run[-8:], run[-8:].upper(), run):
            assert (await api.get(f"/api/runs/{typed}"))["run"]["run"] == run


async def test_a_short_id_that_fits_several_lists_them(asked) -> None:
    async with asked() as api:
        events = [await api.event(number) for number in (0x1ABCD, 0x2ABCD)]
        said = (await api.get("/api/events/abcd", 400))["error"]
        assert said.startswith("abcd fits 2 ids, type more digits: ")
        assert all(event in said for event in events)
        assert "file from inbox" in said


@pytest.mark.parametrize("typed", ["ffffffff", "0" * 32])
async def test_an_id_that_names_nothing_is_not_found(asked, typed) -> None:
    async with asked() as api:
        assert (await api.get(f"/api/runs/{typed}", 404))["error"] == f"there is no run {typed}"
        assert (await api.get(f"/api/events/{typed}", 404))["error"] == f"there is no event {typed}"
        assert (await api.get(f"/api/why/{typed}", 404))["error"] == f"there is no run or event {typed}"
        assert (await api.post(f"/api/runs/{typed}/cancel", status=404))["error"] == f"there is no run {typed}"


# A61
@pytest.mark.parametrize(
    "typed",
    ["..%2f..", "..%252f", "%2e%2e", "..%2fetc%2fpasswd", "C:%5C", "%00%00%00%00", "%2e", "a" * 5000, "0" * 33, "%F0%9F%98%80", "ABCÉ"],
)
async def test_what_is_no_id_is_not_found_and_joined_to_nothing(asked, typed) -> None:
    async with asked() as api:
        for address in (
            f"/api/runs/{typed}",
            f"/api/runs/{typed}/logs",
            f"/api/events/{typed}",
            f"/api/why/{typed}",
            f"/api/pipelines/{typed}",
        ):
            answer = await api.http.get(address)
            assert answer.status_code in (404, 405), (address, answer.text)
            assert set(answer.json()) == {"error"}
            assert len(answer.json()["error"]) < 300


async def test_an_unknown_address_or_method_answers_json_too(asked) -> None:
    async with asked() as api:
        assert (await api.get("/api/nothing", 404))["error"] == "there is no such address"
        assert (await api.post("/api/health", status=405))["error"] == "POST means nothing at this address"


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "the body is not the JSON that belongs here"),
        (b"{", 400, "the body is not the JSON that belongs here"),
        (b"\xff", 400, "the body is not the JSON that belongs here"),
        (b"[" * 100_000, 400, "the body is not the JSON that belongs here"),
        (b'{"pipeline":"words","also":1}', 400, "unknown field"),
        (b'{"pipeline":"words","parameters":{"path":NaN}}', 400, "the body is not the JSON that belongs here"),
        (b'{"pipeline":"nothing"}', 404, "there is no pipeline 'nothing'"),
        (b'{"pipeline":"words"}', 422, "parameter 'path' is missing"),
        (b'{"pipeline":"words","parameters":{"path":"a","times":"x"}}', 422, "parameter 'times': expected int"),
        (b'{"pipeline":"words","parameters":{"path":"a","more":1}}', 422, "parameter 'more' is unknown"),
        (b'{"pipeline":"words","parameters":{"path":"a"},"texts":{"path":"a"}}', 422, "not both"),
        (b'"' + b"a" * 1_100_000 + b'"', 413, "the body is larger than 1048576 bytes"),
    ],
)
async def test_a_submission_that_does_not_fit_is_refused_and_leaves_no_run(asked, content, status, said) -> None:
    async with asked() as api:
        assert said in (await api.post("/api/runs", content, status))["error"]
        assert await api.get("/api/runs") == []


async def test_a_run_is_cancelled_and_cancelling_again_changes_nothing(asked, gate) -> None:
    async with asked() as api:
        gate("cancelled")
        run = await api.submit("gated", name="cancelled")
        await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        assert (await api.post(f"/api/runs/{run[-8:]}/cancel"))["cancel_requested"] is True
        await api.end(run)
        assert (await api.post(f"/api/runs/{run}/cancel"))["state"] == "cancelled"


async def test_events_are_listed_with_their_decisions_and_shown_with_their_data(asked) -> None:
    async with asked() as api:
        first, second = await api.event(0x10001), await api.event(0x20002, "filtered")
        listed = await api.get("/api/events")
        assert [one["event"] for one in listed] == [second, first]
        assert [one["decisions"] for one in listed] == [
            [{"trigger": "on-drop", "outcome": "filtered", "decided_at": 0x20002, "run": None, "reason": None}],
            [],
        ]
        assert await api.get("/api/events", source="elsewhere") == []
        assert [one["event"] for one in await api.get("/api/events", before=listed[0]["seq"])] == [first]
        assert (await api.get("/api/events/0001"))["data"] == {"path": "x.csv"}


class _Lines:
    """Logs kept in a list."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, int | None, int, int]] = []

    async def read(self, run, node, attempt, *, after, limit):
        self.asked.append((run, node, attempt, after, limit))
        return Page([Line(10, "load", 1, "info", "stdout", "hello")], 33, more=False)


async def test_logs_are_asked_for_by_run_node_and_attempt(asked) -> None:
    lines = _Lines()
    async with asked(logs=lines) as api:
        run = await api.submit("words", path="a")
        known = await api.get(f"/api/runs/{run[-8:]}/logs", node="load", attempt=1, after=7)
        line = {"at": 10, "node": "load", "attempt": 1, "level": "info", "source": "stdout", "text": "hello"}
        assert known == {"lines": [line], "after": 33, "more": False}
        assert lines.asked == [(run, "load", 1, 7, 1000)]
        assert "has no node 'lode': there is load, double, report" in (await api.get(f"/api/runs/{run}/logs", 404, node="lode"))["error"]


async def test_without_kept_logs_there_are_no_lines(asked) -> None:
    async with asked() as api:
        known = await api.get(f"/api/runs/{await api.submit('words', path='a')}/logs")
        assert known == {"lines": [], "after": 0, "more": False}


async def test_facts_come_in_order_all_or_of_one_run(asked) -> None:
    async with asked() as api:
        await api.event(1)
        run = await api.submit("words", path="a")
        await api.end(run)
        every = await api.get("/api/facts")
        assert [record["seq"] for record in every["records"]] == list(range(1, every["seq"] + 1))
        assert (await api.get("/api/facts", after=1, limit=1))["records"][0]["fact"]["fact"] == "GraphRecorded"
        of_run = (await api.get("/api/facts", run=run[-8:]))["records"]
        assert {record["fact"]["run"] for record in of_run} == {run}
        assert of_run[0]["fact"]["fact"] == "RunSubmitted"
        assert await api.get("/api/facts", after=every["seq"]) == {"records": [], "seq": every["seq"]}


async def test_who_waits_for_facts_gets_the_first_that_comes(asked) -> None:
    async with asked() as api, anyio.create_task_group() as tasks:
        answers: list[dict[str, object]] = []

        async def follow() -> None:
            answers.append(await api.get("/api/facts", wait=30))

        tasks.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        await api.event(1)
    assert answers[0]["seq"] == 1


async def test_who_waits_for_the_facts_of_a_run_is_not_answered_by_others(asked, gate) -> None:
    async with asked() as api, anyio.create_task_group() as tasks:
        release = gate("followed")
        run = await api.submit("gated", name="followed")
        await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        seq, answers = api.engine.ports.journal.seq, []

        async def follow() -> None:
            answers.append(await api.get("/api/facts", run=run, after=seq, wait=30))

        tasks.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        await api.event(1)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        release.set()
    assert answers[0]["records"][0]["fact"]["fact"] == "AttemptSucceeded"


async def test_waiting_for_facts_ends_when_the_daemon_begins_to_stop(asked) -> None:
    stopping = anyio.Event()
    async with asked(stopping=stopping.wait) as api, anyio.create_task_group() as tasks:
        answers: list[dict[str, object]] = []

        async def follow() -> None:
            answers.append(await api.get("/api/facts", wait=30))

        tasks.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        stopping.set()
    assert answers == [{"records": [], "seq": 0}]


async def test_who_waits_while_the_daemon_may_stop_gets_facts_all_the_same(asked) -> None:
    async with asked(stopping=anyio.Event().wait) as api, anyio.create_task_group() as tasks:
        answers: list[dict[str, object]] = []

        async def follow() -> None:
            answers.append(await api.get("/api/facts", wait=30))

        tasks.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        await api.event(1)
    assert answers[0]["seq"] == 1


async def test_an_engine_that_has_stopped_says_so(asked) -> None:
    async with asked() as api:
        await api.engine.close(0)
        said = await api.post("/api/runs", {"pipeline": "words", "parameters": {"path": "a"}}, 503)
        assert said["error"] == "the engine is stopping or has stopped: it takes no new runs"


async def test_a_journal_that_has_failed_is_told_with_its_message(asked, monkeypatch) -> None:
    async with asked() as api:

        async def fail(*_: object, **__: object) -> None:
            raise JournalError("the disk is gone")

        monkeypatch.setattr(api.engine.ports.journal, "select", fail)
        assert await api.get("/api/runs", 502) == {"error": "the disk is gone"}


async def test_without_a_daemon_everything_is_read_and_nothing_done(asked, reading) -> None:
    async with asked() as api:
        run = await api.submit("words", path="a")
        await api.end(run)
        async with reading(api.engine) as read:
            assert await read.get(f"/api/runs/{run}") == await api.get(f"/api/runs/{run}")
            assert (await read.get("/api/health"))["pid"] is None
            for answer in (
                await read.post("/api/runs", {"pipeline": "words", "parameters": {"path": "a"}}, 501),
                await read.post(f"/api/runs/{run}/cancel", status=501),
                await read.get("/api/pipelines", 501),
                await read.get("/api/pipelines/words", 501),
            ):
                assert "`eventflow serve`" in answer["error"]


async def test_answers_are_never_stored_nor_guessed_at_by_browsers(asked) -> None:
    async with asked() as api:
        for address in ("/api/health", "/api/runs/ffff"):
            headers = (await api.http.get(address)).headers
            assert (headers["content-type"], headers["cache-control"], headers["x-content-type-options"]) == (
                "application/json",
                "no-store",
                "nosniff",
            )
