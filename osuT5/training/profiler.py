"""A run under torch's profiler: `wait` steps untouched, `warmup` not kept, `active` kept, `repeat` times."""

from __future__ import annotations

from pathlib import Path

import torch

from osuT5.training.options import ProfilerOptions


class StepProfiler:
    """Counts steps; traces land in a folder as files that Chrome's tracing page and Perfetto open."""

    def __init__(self, settings: ProfilerOptions, folder: Path):
        self.settings, self.folder = settings, folder
        self.steps = 0
        self._running: torch.profiler.profile | None = None

    def __enter__(self) -> StepProfiler:
        s = self.settings
        if s.do_profile:
            self.folder.mkdir(parents=True, exist_ok=True)
            kinds = [torch.profiler.ProfilerActivity.CPU]
            if torch.cuda.is_available():
                kinds.append(torch.profiler.ProfilerActivity.CUDA)
            plan = torch.profiler.schedule(wait=s.wait, warmup=s.warmup, active=s.active, repeat=s.repeat)
            self._running = torch.profiler.profile(activities=kinds, schedule=plan, on_trace_ready=self._keep)
            self._running.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._running is not None:
            self._running.__exit__(*error)

    def step(self) -> bool:
        """One step is done; True when nothing more will be kept and the run is to end with that."""
        if self._running is None:
            return False
        self.steps += 1
        self._running.step()
        s = self.settings
        return s.early_stop and s.repeat > 0 and self.steps >= (s.wait + s.warmup + s.active) * s.repeat

    def _keep(self, profile: torch.profiler.profile) -> None:
        profile.export_chrome_trace(str(self.folder / f"steps_until_{self.steps}.json"))
