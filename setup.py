"""Puts `configs/`, `models/` and `demo/` into the wheel; everything else about the package stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
BUNDLED = ("configs", "models", "demo")  # found again by osuT5.bundled
LEFT_OUT = shutil.ignore_patterns("__pycache__")


class BuildWithFiles(build_py):
    """Copies the folders beside the modules, unless the package is installed to be edited."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for name in BUNDLED:
            target = Path(self.build_lib) / "osuT5" / "_bundled" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=LEFT_OUT)


setup(cmdclass={"build_py": BuildWithFiles})
