"""Glue's job runs and crawlers. A run goes where the test sends it; by itself it goes nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.aws.service import Clock, FakeService, Fault

JOB = "lakeside-dev-transform"
CRAWLER = "lakeside-dev-landing"


class FakeGlue(FakeService):
    name = "glue"

    def __init__(self, clock: Clock | None = None, *, max_concurrent_runs: int = 3) -> None:
        super().__init__(clock)
        self.max_concurrent_runs = max_concurrent_runs
        self.runs: list[dict[str, Any]] = []
        self.on_start: Callable[[dict[str, Any]], None] = lambda _run: None
        """Called with each new run: what the job's script would do."""
        self.stops_at_once = False
        """Whether a run that is told to stop has stopped by the next look."""
        self.crawler = {"Name": CRAWLER, "State": "READY"}
        self.tables: dict[str, list[tuple[str, str]]] = {}
        """What the crawler found: (column, type) by table."""

    def start_job_run(
        self,
        *,
        JobName: str,
        Arguments: dict[str, str],
        JobRunQueuingEnabled: bool = False,
    ) -> dict[str, Any]:
        if JobName != JOB:
            raise Fault("EntityNotFoundException", f"Failed to start job run due to missing metadata: {JobName}")
        going = [run for run in self.runs if run["JobRunState"] in {"STARTING", "RUNNING", "STOPPING"}]
        is_full = len(going) >= self.max_concurrent_runs
        if is_full and not JobRunQueuingEnabled:
            raise Fault("ConcurrentRunsExceededException")
        run = {
            "Id": f"jr_{len(self.runs):064x}",
            "Attempt": 0,
            "JobName": JobName,
            "StartedOn": self.clock.now(),
            "JobRunState": "WAITING" if is_full else "STARTING",
            "Arguments": Arguments,
            "ExecutionTime": 0,
            "MaxCapacity": 2.0,
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            "LogGroupName": "/aws-glue/jobs",
            "GlueVersion": "5.1",
        }
        self.runs.append(run)
        self.on_start(run)
        return {"JobRunId": run["Id"]}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:
        return {"JobRun": self._run(JobName, RunId)}

    def get_job_runs(
        self,
        *,
        JobName: str,
        NextToken: str = "0",
        MaxResults: int = 200,
    ) -> dict[str, Any]:
        if JobName != JOB:
            raise Fault("EntityNotFoundException")
        start = int(NextToken)
        newest_first = list(reversed(self.runs))
        more = {"NextToken": str(start + MaxResults)} if start + MaxResults < len(self.runs) else {}
        return {"JobRuns": newest_first[start : start + MaxResults], **more}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:
        stopped, errors = [], []
        for run_id in JobRunIds:
            run = self._run(JobName, run_id)
            if run["JobRunState"] in {"STARTING", "RUNNING", "WAITING"}:
                run["JobRunState"] = "STOPPED" if self.stops_at_once else "STOPPING"
                stopped.append({"JobName": JobName, "JobRunId": run_id})
            else:
                detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "The run has ended."}
                errors.append({"JobName": JobName, "JobRunId": run_id, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": stopped, "Errors": errors}

    def start_crawler(self, *, Name: str) -> dict[str, Any]:
        self._crawler(Name)
        if self.crawler["State"] != "READY":
            raise Fault("CrawlerRunningException", f"Crawler with name {Name} has already started")
        self.crawler["State"] = "RUNNING"
        return {}

    def get_crawler(self, *, Name: str) -> dict[str, Any]:
        self._crawler(Name)
        return {"Crawler": dict(self.crawler)}

    def get_tables(self, *, DatabaseName: str) -> dict[str, Any]:
        tables = [
            {
                "Name": name,
                "DatabaseName": DatabaseName,
                "StorageDescriptor": {"Columns": [{"Name": column, "Type": kind} for column, kind in columns]},
            }
            for name, columns in self.tables.items()
        ]
        return {"TableList": tables}

    def end_crawl(self, status: str, message: str | None = None) -> None:
        """Let the crawl that runs end."""
        last = {"Status": status, "StartTime": self.clock.now(), **({"ErrorMessage": message} if message else {})}
        self.crawler |= {"State": "READY", "LastCrawl": last}

    def move(self, state: str, *, number: int = -1, message: str | None = None, seconds: int = 0) -> None:
        """Send a run to a state."""
        self.clock.advance(seconds)
        run = self.runs[number]
        run["JobRunState"] = state
        run["ExecutionTime"] += seconds
        if message is not None:
            run["ErrorMessage"] = message

    def _run(self, job: str, run_id: str) -> dict[str, Any]:
        for run in self.runs:
            if run["Id"] == run_id and run["JobName"] == job:
                return run
        raise Fault("EntityNotFoundException", f"There is no run {run_id}")

    def _crawler(self, name: str) -> None:
        if name != CRAWLER:
            raise Fault("EntityNotFoundException", f"Crawler {name} not found")
