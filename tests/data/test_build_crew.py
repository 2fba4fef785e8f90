"""Jobs come back in their order whatever becomes of the processes."""

import logging

import crew_jobs
import pytest

from osuT5.data.building.crew import Failed, run_jobs
from osuT5.errors import InputError


def test_a_death_a_hang_and_a_surprise_cost_their_job_and_nothing_else(caplog):
    caplog.set_level(logging.CRITICAL)
    jobs = [1, "die", 2, "hang", 3, "odd", 4, 5, 6]
    found = list(run_jobs(crew_jobs.start, (10,), jobs, workers=2, limit_s=3))
    assert [job for job, _ in found] == jobs
    assert [r for _, r in found if not isinstance(r, Failed)] == [10, 20, 30, 40, 50, 60]
    reasons = {job: r.reason for job, r in found if isinstance(r, Failed)}
    assert "exit code 9" in reasons["die"] and "longer than 3 s" in reasons["hang"] and "KeyError" in reasons["odd"]


def test_an_error_of_the_project_ends_the_run():
    with pytest.raises(InputError, match="stop it all"):
        list(run_jobs(crew_jobs.start, (1,), [1, "stop", 2], workers=1, limit_s=60))


def test_no_jobs_need_no_process():
    assert list(run_jobs(crew_jobs.start, (1,), [], workers=4, limit_s=1)) == []
