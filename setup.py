"""What pyproject.toml cannot say: the wheel carries Dagster's instance files, which lie beside the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithInstance(build_py):
    """Copy `dagster.yaml` and `workspace.yaml` into the package of a wheel; a checkout has them at its top."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib) / "ledger_pipelines" / "instance"
            self.mkpath(str(folder))
            for name in ("dagster.yaml", "workspace.yaml"):
                self.copy_file(name, str(folder / name))


setup(cmdclass={"build_py": BuildWithInstance})
