"""Run the README's two commands, and the wheel, on machines that have only Python, venv and make.

Each machine is a minimal Debian root (debootstrap), entered by chroot in a mount and process namespace. Its mounts and
processes always end with the namespace. A machine takes over only the access to package registries: the effective
configuration of pip, the CA bundle, resolv.conf, proxies, and the mirror of apt.

Usage, as root: python3 .ci/bare_machine.py
"""

import ast
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = "python3,python3-venv,make,ca-certificates"
USER = "newcomer"
WEB_UI, API = "http://127.0.0.1:3000", "http://127.0.0.1:8000"
INTERRUPTED = 130  # exit code of make after Ctrl-C
START_SECONDS, COMPUTE_SECONDS, STOP_SECONDS, TEST_SECONDS = 600, 300, 90, 1500
#: A root shares this machine's network. These URLs keep its tests away from servers on the default ports.
NO_SERVERS = {
    "LEDGER_TEST_POSTGRES_URL": "postgresql://unused@127.0.0.1:1/none",
    "LEDGER_TEST_MARIADB_URL": "mysql+pymysql://unused@127.0.0.1:1/none",
}
#: Requests to this machine, without the proxy of the environment.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
CA_BUNDLE, RESOLVER = Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/resolv.conf")
CARRIED = re.compile(r"PIP_.*|(SSL|REQUESTS|CURL)_.*|.*_proxy", re.IGNORECASE)
# Patterns that must not appear in the output of a first start.
FAULTS = re.compile(r"Traceback|WARNING|Warning:|ERROR|Error:|libodbc")
#: Line of pytest's summary on skipped tests, which would fill a failure message.
SKIPPED = re.compile(r"^SKIPPED \[(\d+)\] \S+: (.*)\n(?:\t.*\n)*", re.MULTILINE)
#: Separate mounts and processes, which end with the command.
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"]
# Mounts of the root, the only access to the rest of the machine. They end with the first process of the namespace.
ENTER = """
mount --make-rprivate /
mount -t proc proc "$ROOT/proc"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
for place in $PLACES; do mount --bind "$place" "$ROOT$place"; mount -o remount,bind,ro "$ROOT$place"; done
exec chroot --userspec="$ACCOUNT" "$ROOT" sh -c "$SCRIPT"
"""
# The shell is the first process of its namespace: it survives Ctrl-C and then lists the remaining processes.
LEFT = """
for process in /proc/[0-9]*; do
  [ "$process" != /proc/1 ] || continue
  line=$(tr '\\0' ' ' 2>/dev/null <"$process/cmdline")
  [ -z "$line" ] || echo "LEFT: $line"
done
"""


class FailedError(Exception):
    """A promise of the README does not hold; the message says which."""


@dataclass(frozen=True)
class Carried:
    """Access to the registries: environment variables, and the files of this machine that they name."""

    variables: Mapping[str, str]
    places: tuple[Path, ...]

    @classmethod
    def from_this_machine(cls) -> "Carried":
        """Read the environment and the effective configuration of pip."""
        listed = run([sys.executable, "-m", "pip", "config", "list"]).splitlines()
        settings = dict(line.split("=", 1) for line in listed if line.startswith(("global.", "install.")))
        variables = {f"PIP_{_option(name)}": str(ast.literal_eval(value)) for name, value in settings.items()}
        variables |= {name: value for name, value in os.environ.items() if CARRIED.fullmatch(name)}
        words = [word for value in variables.values() for word in value.split()]
        named = {Path(word) for word in words if word.startswith("/")}
        # The pages of a local index name files in the same folder.
        named |= {Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")}
        named = {place for place in named if place.exists()}
        return cls(variables, tuple(sorted({*named, CA_BUNDLE, RESOLVER.resolve()})))


def _option(name: str) -> str:
    return name.partition(".")[2].upper().replace("-", "_")


@dataclass(frozen=True)
class Root:
    """Minimal Debian in a folder.

    Attributes:
        suite: Release of Debian, such as bookworm.
        folder: Folder of the root.
        carried: Access to the registries.
    """

    suite: str
    folder: Path
    carried: Carried

    def enter(self, script: str, variables: Mapping[str, str] | None = None, *, as_root: bool = False) -> list[str]:
        """Return the command that runs a shell script in the root, with a clean environment."""
        home = "/root" if as_root else f"/home/{USER}"
        inside = {"HOME": home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TERM": "dumb"}
        inside["no_proxy"] = "127.0.0.1"
        outside = {
            "ROOT": str(self.folder),
            "PLACES": " ".join(map(str, self.carried.places)),
            "ACCOUNT": "root:root" if as_root else f"{USER}:{USER}",
            "SCRIPT": f"cd {home}\n{script}",
        }
        environment = {**self.carried.variables, **inside, **(variables or {}), **outside}
        assignments = [f"{name}={value}" for name, value in environment.items()]
        return ["env", "-i", *assignments, *NAMESPACES, "sh", "-euc", ENTER]

    def run(self, script: str, variables: Mapping[str, str] | None = None, seconds: int = 600) -> str:
        """Run a script in the root and return what it prints.

        Raises:
            FailedError: The script fails or takes too long.
        """
        return run(self.enter(script, variables), seconds)

    def receive(self, name: str, *, as_root: bool = False) -> Path:
        """Create a folder in the user's home and return its path on this machine."""
        folder = self.folder / ("root" if as_root else f"home/{USER}") / name
        folder.mkdir()
        return folder

    def give(self, folder: Path) -> None:
        """Make the user the owner of a folder and its contents."""
        run(["chroot", str(self.folder), "chown", "-R", f"{USER}:{USER}", f"/{folder.relative_to(self.folder)}"])


def run(command: list[str], seconds: int = 600) -> str:
    """Run a command and return what it prints.

    Raises:
        FailedError: The command fails or takes too long; the message ends with its output.
    """
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        raise FailedError(f"Not finished after {seconds} s: {command[-1][:200]}\n{printed[-4000:]}") from None
    if done.returncode != 0:
        printed = SKIPPED.sub("", done.stdout)
        raise FailedError(f"Exit code {done.returncode}: {' '.join(command)[-400:]}\n{printed[-40_000:]}")
    return done.stdout


@contextmanager
def new_root(suite: str, mirror: str, carried: Carried) -> Iterator[Root]:
    """Create a minimal root with a user, and delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"ledger-bare-{suite}-"))
    folder.chmod(0o755)
    try:
        with part(f"{suite}: debootstrap"):
            options = ["--variant=minbase", f"--include={PACKAGES}", suite, str(folder), mirror]
            run([*NAMESPACES, "debootstrap", *options], seconds=900)
        for place in carried.places:
            target = folder / place.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.mkdir(exist_ok=True) if place.is_dir() else target.touch()
        (folder / "dev/shm").mkdir(exist_ok=True)
        run(["chroot", str(folder), "useradd", "--create-home", USER])
        yield Root(suite, folder, carried)
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Delete a root; retry while killed processes still end.

    Raises:
        FailedError: A mount remains in the root, or the root cannot be deleted. Nothing is deleted through a mount.
    """
    mounted = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {folder}/" in line]
    if mounted:
        raise FailedError(f"Still mounted: {mounted}")
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.5)
    raise FailedError(f"{folder} cannot be deleted.")


@contextmanager
def part(what: str) -> Iterator[None]:
    """Print the duration of a part."""
    began = time.monotonic()
    print(f"[bare machine] {what} ...", flush=True)
    yield
    print(f"[bare machine] {what}: {time.monotonic() - began:.0f} s", flush=True)


class Terminal:
    """Command in a separate terminal, so that it receives Ctrl-C as from a user."""

    def __init__(self, command: list[str]) -> None:
        self.output = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvp(command[0], command)  # noqa: S606 - no shell is intended

    def read(self, seconds: float) -> bool:
        """Read the output of the next seconds; False at its end."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return True
        try:
            read = os.read(self._terminal, 65536)
        except OSError:  # raised on Linux when the other end is closed
            return False
        self.output += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)

    def wait(self, until: Callable[[], bool], what: str, seconds: float) -> None:
        """Read until a condition holds.

        Raises:
            FailedError: The command ends or the time is up before the condition holds.
        """
        deadline = time.monotonic() + seconds
        while not until():
            if not self.read(0.5):
                raise FailedError(f"The command ended before {what}:\n{self.output[-8000:]}")
            if time.monotonic() > deadline:
                raise FailedError(f"Not within {seconds:.0f} s: {what}\n{self.output[-8000:]}")

    def end(self, seconds: float) -> None:
        """Press Ctrl-C and read to the end.

        Raises:
            FailedError: The command does not end in time.
        """
        os.write(self._terminal, b"\x03")
        deadline = time.monotonic() + seconds
        while self.read(0.5):
            if time.monotonic() > deadline:
                raise FailedError(f"Ctrl-C has not ended the command after {seconds:.0f} s:\n{self.output[-8000:]}")
        self._reap()

    def kill(self) -> None:
        """Kill the command and its processes, unless it has ended."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        os.waitpid(self._pid, 0)
        self._pid = 0


def try_up(root: Root, command: str, exit_code: int, *, as_root: bool = False) -> None:
    """Start everything, wait until the ledger is computed and the ERP copied, check the pages, and press Ctrl-C.

    Args:
        root: The root to run in.
        command: Command that starts everything.
        exit_code: Expected exit code of the command after Ctrl-C.
        as_root: Run the command as root.

    Raises:
        FailedError: A promise of the README does not hold.
    """
    began = time.monotonic()
    script = f'trap : INT\n{command}\necho "ENDED: $?"\n{LEFT}'
    terminal = Terminal(root.enter(script, as_root=as_root))
    try:
        terminal.wait(lambda: "Ctrl-C stops everything" in terminal.output, "it is up", START_SECONDS)
        up = time.monotonic() - began
        terminal.wait(lambda: is_computed(terminal.output), "the ledger is computed, the ERP copied", COMPUTE_SECONDS)
        print(f"[bare machine] {command}: up after {up:.0f} s, computed after {time.monotonic() - began:.0f} s")
        for page in (WEB_UI, API):
            with DIRECTLY.open(page, timeout=30) as answer:
                if b"<html" not in answer.read().lower():
                    raise FailedError(f"{page} is not an HTML page")
        terminal.end(STOP_SECONDS)
    finally:
        terminal.kill()
    started = terminal.output[terminal.output.find("Starting the databases") :]
    faults = [line for line in started.splitlines() if FAULTS.search(line) or line.startswith("LEFT:")]
    if faults or "Stopped." not in started or f"\nENDED: {exit_code}\n" not in started:
        raise FailedError(f"The command does not end cleanly: {faults}\n{terminal.output[-8000:]}")


def is_computed(output: str) -> bool:
    """Return whether the API reports balances and a completed sync of the ERP, using the printed token.

    Raises:
        FailedError: No token was printed, or the sync of the ERP failed.
    """
    token = re.search(r"^ledger_[0-9a-f]{12}_\S{43}$", output, re.MULTILINE)
    if token is None:
        raise FailedError(f"No token was printed:\n{output[-8000:]}")
    status, sync = (_ask(f"{API}/api/{path}", token[0]) for path in ("realtime-balance/status", "sync/status"))
    copied = (sync.get("data") or {}).get("status")
    if copied in ("failed", "cancelled"):
        raise FailedError(f"The sync of the ERP did not complete: {sync}")
    return copied == "completed" and status["statistics"]["total_monthly_balances"] > 0


def _ask(address: str, token: str) -> dict[str, Any]:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - the project's own API
    with DIRECTLY.open(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def try_make_run(root: Root, *, as_root: bool) -> None:
    """Run `make run` in a clean clone."""
    clone = root.receive("ledger_pipelines", as_root=as_root)
    run(["git", "clone", "--quiet", str(PROJECT), str(clone)])
    if not as_root:
        root.give(clone)
    account = "root" if as_root else "a user"
    with part(f"{root.suite}: make run, as {account}"):
        try_up(root, "cd ledger_pipelines && make run", INTERRUPTED, as_root=as_root)
    size = run(["du", "-sm", str(clone / ".venv")]).split()[0]
    print(f"[bare machine] {root.suite}: make run installs {size} MB")


def try_make_test(root: Root) -> None:
    """Run `make test` in the clone, and print the number of skipped tests by reason."""
    with part(f"{root.suite}: make test"):
        script = "cd ledger_pipelines && make test"
        printed = root.run(script, {**NO_SERVERS, "PYTEST_ADDOPTS": "-rsfE --color=no"}, TEST_SECONDS)
    verdict = re.search(r"^\d+ passed.*", printed, re.MULTILINE)
    if verdict is None:
        raise FailedError(f"No test passed:\n{printed[-4000:]}")
    print(f"[bare machine] {root.suite}: {verdict[0]}")
    skipped: Counter[str] = Counter()
    for number, reason in SKIPPED.findall(printed):
        skipped[reason.partition(" (set ")[0]] += int(number)
    for reason, number in skipped.most_common():
        print(f"[bare machine] {root.suite}: {number} skipped: {reason}")


def try_wheel(root: Root) -> None:
    """Build the wheel, install it into an empty environment, and use it in empty folders."""
    folder = root.receive("wheel")
    with part("wheel: python -m build"), tempfile.TemporaryDirectory() as clone:
        run(["git", "clone", "--quiet", str(PROJECT), clone])
        run([sys.executable, "-m", "build", "--outdir", str(folder), clone])
        shutil.copy(Path(clone) / "constraints.txt", folder)
    (wheel,) = folder.glob("*.whl")
    root.give(folder)
    with part(f"{root.suite}: install the wheel"):
        root.run(
            f"python3 -m venv environment && environment/bin/pip install -q -c wheel/constraints.txt wheel/{wheel.name}"
        )
    shutil.rmtree(folder)
    root.give(root.receive("empty"))
    ledger = "cd empty && ../environment/bin/ledger"
    with part(f"{root.suite}: the wheel's ledger up"):
        try_up(root, f"{ledger} up", 0)
    root.give(root.receive("another"))
    with part(f"{root.suite}: the wheel's ledger demo run, db upgrade"):
        root.run("cd another && for command in 'demo run' 'db stop' 'db upgrade' 'db stop'; do "
                 "../environment/bin/ledger $command || exit 1; done")  # fmt: skip


def mirror_of_apt() -> str:
    """Return the mirror of this machine's apt for its release."""
    targets = run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"])
    names = (f" {codename()}", " stable")
    found = [line.split()[0] for line in targets.splitlines() if line.endswith(names)]
    if not found:
        raise FailedError(f"The sources of apt do not contain {codename()}:\n{targets}")
    return found[0]


def codename() -> str:
    """Return the name of this machine's release of Debian, such as bookworm."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    if found is None:
        raise FailedError("This machine is not a Debian release: /etc/os-release has no VERSION_CODENAME.")
    return found[1]


def main() -> None:
    """Run all checks in both roots."""
    mirror, carried = mirror_of_apt(), Carried.from_this_machine()
    with new_root(codename(), mirror, carried) as root:  # Python 3.11 on Debian 12
        try_make_run(root, as_root=False)
        try_make_test(root)
    with new_root("trixie", mirror, carried) as root:  # Debian 13: Python 3.13
        try_make_run(root, as_root=True)
        try_wheel(root)


def end(_signal: int, _frame: object) -> None:
    """End as after an error, so that cleanup runs."""
    sys.exit(f"[bare machine] ended by {signal.Signals(_signal).name}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    try:
        main()
    except (FailedError, OSError) as error:
        sys.exit(f"[bare machine] FAILED: {error}")
