"""Trials as processes of their own: some run concurrently, and each is ended at its time limit."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from . import algorithms, models
from .algorithms import Candidate
from .reading import Json
from .scoring import is_smaller_better

# Azure begins to stop early at the 31st trial, after ten trials that brought nothing better.
_FIRST_STOP, _PATIENCE = 30, 10
_LOOK_SECONDS, _MEMBERS = 0.05, 3
# Forked processes share the data. This process itself fits nothing before the last trial has ended.
_PROCESSES = multiprocessing.get_context("fork")


class Trials:
    """The trials that have run, with their scores, and the report of them."""

    def __init__(self, settings: Json, data: Json) -> None:
        self.settings, self.data = settings, data
        self.scored: dict[int, tuple[Candidate, float]] = {}
        self._artifacts = Path(settings["artifacts"])
        self._ends = time.monotonic() + settings["seconds"]
        self._started = 0

    def run(self, candidates: Iterator[Candidate], most: int) -> str:
        """Run trials until a limit is reached, and return the limit."""
        running: dict[int, tuple[Any, Candidate, float]] = {}
        last = self._started + most
        reason = ""
        while True:
            reason = reason or self._over(last)
            while not reason and len(running) < self.settings["workers"]:
                candidate = next(candidates, None)
                if candidate is None:
                    reason = "there is nothing else to try"
                    break
                number = self._started
                self._started += 1
                running[number] = (self._start(number, candidate, []), candidate, time.monotonic())
                reason = self._over(last)
            if not running:
                return reason
            time.sleep(_LOOK_SECONDS)
            for number, (process, candidate, began) in list(running.items()):
                if self._ended(number, process, candidate, began):
                    del running[number]

    def ensemble(self, name: str) -> None:
        """Run a trial of an ensemble of the best candidates of different algorithms, if there is time."""
        members = self._members()
        if len(members) < 2 or time.monotonic() >= self._ends or self._reached():
            return
        number, candidate, began = self._started, Candidate(name, ""), time.monotonic()
        self._started += 1
        process = self._start(number, candidate, members)
        while not self._ended(number, process, candidate, began):
            time.sleep(_LOOK_SECONDS)

    def best(self) -> int | None:
        """Return the number of the best trial, the first one of equals."""
        sign = 1 if is_smaller_better(self.settings["metric"]) else -1
        return min(self.scored, key=lambda number: (sign * self.scored[number][1], number), default=None)

    def model(self, number: int) -> Any:
        """Return a trial's model."""
        return cloudpickle.loads((self._artifacts / f"{number}.pickle").read_bytes())

    def report(self, event: str, number: int | None = None, **said: Any) -> None:
        """Append one line to the file of reports."""
        line = {"event": event, **({} if number is None else {"number": number}), **said}
        with Path(self.settings["reports"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _start(self, number: int, candidate: Candidate, members: list[Candidate]) -> Any:
        self.report("started", number, algorithm=candidate.algorithm, preprocessor=candidate.preprocessor,
                    parameters=candidate.parameters)  # fmt: skip
        process = _PROCESSES.Process(target=self._try, args=(number, candidate, members), daemon=True)
        process.start()
        return process

    def _try(self, number: int, candidate: Candidate, members: list[Candidate]) -> None:
        """Run one trial, in its process, and leave the result in a file."""
        began = time.monotonic()
        try:
            metrics, model = models.evaluate(self.settings, candidate, members, self.data)
            if self.settings["metric"] not in metrics:
                raise ValueError(f"the validation rows do not allow the metric {self.settings['metric']}")
            run = f"{os.environ['AZUREML_RUN_ID']}_{number}"
            deep = any(map(algorithms.is_deep, (candidate, *members)))
            models.write(model, self.data["signature"], self._artifacts / str(number), run, deep=deep)
            (self._artifacts / f"{number}.pickle").write_bytes(cloudpickle.dumps(model))
            result: Json = {"metrics": metrics, "seconds": time.monotonic() - began}
        except Exception as error:  # noqa: BLE001 - a trial may fail in any way, and the search goes on
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"}
        (self._artifacts / f"{number}.json").write_text(json.dumps(result), "utf-8")

    def _ended(self, number: int, process: Any, candidate: Candidate, began: float) -> bool:
        """Return whether a trial has ended, and record it. End it if its time is over."""
        limit = min(self._ends, began + self.settings["trial_seconds"])
        if process.is_alive() and time.monotonic() < limit:
            return False
        late = process.is_alive()
        if late:
            process.kill()
        process.join()
        path = self._artifacts / f"{number}.json"
        if late or not path.exists():
            why = "its time limit was reached" if late else f"its process exited with status code {process.exitcode}"
            self.report("canceled" if late else "failed", number, error=why)
            print(f"trial {number}: {candidate.algorithm}: ended, because {why}", flush=True)
            return True
        result = json.loads(path.read_text("utf-8"))
        if "error" in result:
            self.report("failed", number, error=result["error"])
            print(f"trial {number}: {candidate.algorithm}: {result['error']}", flush=True)
            return True
        score = result["metrics"][self.settings["metric"]]
        self.scored[number] = (candidate, score)
        self.report("completed", number, score=score, **result)
        name = ", ".join(part for part in (candidate.preprocessor, candidate.algorithm) if part)
        reached = f"{self.settings['metric']} {score:.6g} after {result['seconds']:.1f} s"
        print(f"trial {number}: {name}: {reached}", flush=True)
        return True

    def _members(self) -> list[Candidate]:
        sign = 1 if is_smaller_better(self.settings["metric"]) else -1
        found: dict[str, Candidate] = {}
        for number in sorted(self.scored, key=lambda number: (sign * self.scored[number][1], number)):
            candidate = self.scored[number][0]
            if candidate.algorithm in (models.VOTING, models.STACKING):
                continue
            found.setdefault(candidate.algorithm, candidate)
        return list(found.values())[:_MEMBERS]

    def _over(self, last: int) -> str:
        """Return the limit that ends the search, or an empty text."""
        if time.monotonic() >= self._ends:
            return "the job's time limit is reached"
        if self._reached():
            return "the exit score is reached"
        if self._started >= last:
            return "the limit of trials is reached"
        best = self.best()
        if self.settings["early"] and best is not None and self._started >= _FIRST_STOP:
            later = [number for number in self.scored if number > best]
            if len(later) >= _PATIENCE:
                return f"the last {_PATIENCE} trials brought nothing better"
        return ""

    def _reached(self) -> bool:
        wanted, best = self.settings["exit_score"], self.best()
        if wanted is None or best is None:
            return False
        score = self.scored[best][1]
        return bool(score <= wanted if is_smaller_better(self.settings["metric"]) else score >= wanted)
