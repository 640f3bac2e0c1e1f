"""The two virtual environments of the cases, which differ only in greenlet."""

import json
import subprocess
from pathlib import Path

import environments
from environments import Unavailable

BASE = ["--only-binary=:all:", environments.environment.REFERENCE]


def _is_missing(error: Unavailable) -> bool:
    return any(text in str(error) for text in ("No matching distribution found", "ResolutionImpossible"))


class Wheels:
    """The packages installed in both environments. More are installed when cases need them."""

    def __init__(self) -> None:
        folder = environments.FOLDER / "environments"
        self.reference = environments.make_base(folder / "native-reference", BASE)
        self.ours = environments.make_base(folder / "native-ours", BASE)
        self._list = folder / "native-reference" / "asked-for.json"
        # For each requirement an empty text, or the reason why there is no wheel.
        self._asked_for: dict[str, str] = json.loads(self._list.read_text()) if self._list.is_file() else {}

    def python(self, way: str) -> Path:
        return self.reference if way in ("plainly", "reference") else self.ours

    def provide(self, requirements: list[str]) -> None:
        """Install *requirements* in both environments, if there are wheels."""
        for requirement in requirements:
            if requirement not in self._asked_for:
                print(f"installing {requirement}", flush=True)
                self._asked_for[requirement] = self._install(requirement)
        self._list.write_text(json.dumps(self._asked_for, indent=1))

    def _install(self, requirement: str) -> str:
        try:
            environments.pip(self.reference, "install", "--quiet", *BASE, requirement)
        except Unavailable as error:
            if not _is_missing(error):
                raise
            return str(error).splitlines()[-1]
        return ""

    def install_ours(self, our_wheel: Path) -> None:
        """Install the packages of the other environment in ours, with *our_wheel* as greenlet."""
        listed = subprocess.run([self.reference, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)
        packages = [line for line in listed.stdout.splitlines() if not line.startswith("greenlet==")]
        environments.pip(self.ours, "install", "--quiet", "--only-binary=:all:", "--no-deps", *packages)
        environments.pip(self.ours, "install", "--quiet", "--no-deps", "--force-reinstall", our_wheel)
        for python in (self.reference, self.ours):
            environments.pip(python, "check")

    def missing(self, requirements: tuple[str, ...]) -> list[str]:
        """Return the *requirements* that have no wheel for this interpreter."""
        return [requirement for requirement in requirements if self._asked_for.get(requirement)]
