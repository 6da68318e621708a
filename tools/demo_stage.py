"""What the demonstration stands on: a folder, processes that are stopped whatever happens, lines for people, facts for
programs. It knows nothing of Broch."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PREFIX = "broch-demo-"
STATE = "demo.json"
RUN = pathlib.Path(__file__).resolve().parent.parent / "run"
PATIENCE = 30  # seconds for what is to happen soon; machines are slow when they are busy
POLL = 0.02


class Failure(Exception):
    """A step did not show what it was to show: why, and what was said meanwhile."""

    def __init__(self, why, said=""):
        super().__init__(why)
        self.said = said


# ---- processes ----

def session_of(pid):
    """The session of a process, and when that began; None when there is none, or only its zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else (int(fields[3]), int(fields[19]))


def living(leader, since):
    """The processes of a session that a process began, which itself began at a time (/proc/PID/stat)."""
    found = {int(name): session_of(name) for name in os.listdir("/proc") if name.isdigit()}
    mine = {pid: start for pid, (session, start) in ((p, s) for p, s in found.items() if s is not None)
            if session == leader}
    if leader in mine and mine[leader] != since:
        return []  # another has its number by now
    return sorted(pid for pid, start in mine.items() if start >= since)


def stop_sessions(sessions, grace=5):
    """Asks the processes that began these sessions to end, then makes everything in them; what is left of them."""
    for leader, since in sessions:
        if leader in living(leader, since):
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, signal.SIGTERM)
    for end, number in ((grace, signal.SIGKILL), (grace, None)):
        until = time.monotonic() + end
        while (left := [pid for s in sessions for pid in living(*s)]) and time.monotonic() < until:
            time.sleep(POLL)
        for pid in left if number else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    return left


class Process:
    """One that runs, with its input, and its outputs in files."""

    def __init__(self, stage, name, words, stdin=subprocess.DEVNULL):
        self.stage, self.name = stage, name
        self.out_path, self.err_path = (stage.log / f"{name}.{end}" for end in ("out", "err"))
        # it must not outlive the demonstration, unless it is to
        words = [str(word) for word in words]
        if not stage.keep:
            words = ["setpriv", "--pdeathsig", "KILL", *words]
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err, stage.without_interruption():
            self.popen = subprocess.Popen(words, stdin=stdin, stdout=out, stderr=err, env=stage.env,
                                          start_new_session=True)
            _, since = session_of(self.popen.pid) or (0, 0)
            self.session = (self.popen.pid, since)
            stage.processes.append(self)
            stage.write_state()

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def said(self):
        return self.out + self.err

    def wait_for(self, pattern, seconds=PATIENCE):
        """Waits until it has said this; the match."""
        end = time.monotonic() + seconds
        while True:
            has_ended = self.popen.poll() is not None
            found = re.search(pattern, self.said(), re.MULTILINE)
            if found:
                return found
            if has_ended:
                raise Failure(f"the {self.name} has ended with status {self.popen.returncode}", self.said())
            if time.monotonic() > end:
                raise Failure(f"the {self.name} did not say '{pattern}' in {seconds} s", self.said())
            self.stage.tick()

    def wait(self, seconds=PATIENCE):
        """Waits for its end; the exit status."""
        end = time.monotonic() + seconds
        while self.popen.poll() is None:
            if time.monotonic() > end:
                raise Failure(f"the {self.name} did not end in {seconds} s", self.said())
            self.stage.tick()
        return self.popen.returncode

    def say(self, text):
        try:
            self.popen.stdin.write(text.encode())
            self.popen.stdin.flush()
        except OSError as e:
            raise Failure(f"the {self.name} does not listen any more", self.said()) from e


# ---- the stage ----

class Stage:
    """A folder and all that happens in it. `out` is where people read; `keep` leaves everything as it is at the end."""

    def __init__(self, out, keep=False):
        self.out, self.keep = out, keep
        self.is_terminal = out.isatty()
        self.colour = self.is_terminal and "NO_COLOR" not in os.environ
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        self.log = self.folder / "log"
        self.log.mkdir()
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith("BROCH_") or name == "BROCH_KVM_DEVICE"}
        self.env["HOME"] = self.env["XDG_DATA_HOME"] = self.env["XDG_CONFIG_HOME"] = str(self.folder)
        self.processes, self.pillars, self.ports, self.steps = [], [], [], []
        self.step_began = self.told = None
        self.guarded, self.interrupted = 0, None
        self.began = time.monotonic()

    # what must not be cut in two

    def interrupt(self, number, _):
        """The handler of signals."""
        self.interrupted = number
        if self.guarded == 0:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def without_interruption(self):
        self.guarded += 1
        try:
            yield
        finally:
            self.guarded -= 1
            if self.guarded == 0 and self.interrupted is not None:
                raise KeyboardInterrupt

    # processes and ports

    def port(self):
        """A port that nobody has, and nobody else gets by asking for one while this process runs: it is bound, without
        listening; a server may still listen there, as it may where an earlier one has just ended."""
        try:
            sock, every = socket.socket(socket.AF_INET6), "::"
        except OSError:  # this machine has no IPv6
            sock, every = socket.socket(), ""
        first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        top = max(min(first, 32768), 2048)  # below those that connections get
        for tries_left in reversed(range(1000)):
            try:
                sock.bind((every, random.randrange(top // 2, top)))
                break
            except OSError:
                if tries_left == 0:
                    raise
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.ports.append(sock)
        return sock.getsockname()[1]

    def start(self, name, *words, stdin=subprocess.DEVNULL):
        return Process(self, name, words, stdin)

    def run(self, name, *words, seconds=PATIENCE, status=0):
        """To its end, which must be this exit status, or any when that is None."""
        process = self.start(name, *words)
        got = process.wait(seconds)
        if status is not None and got != status:
            raise Failure(f"{' '.join(map(str, words[:3]))} … ended with status {got}, not {status}", process.said())
        return process

    def pillar(self, process):
        """All falls with it."""
        self.pillars.append(process)
        return process

    def check_pillars(self):
        for process in self.pillars:
            if process.popen.poll() is not None:
                raise Failure(f"the {process.name} has ended with status {process.popen.returncode}", process.said())

    def tick(self):
        """A moment passes while something is waited for."""
        self.check_pillars()
        now = time.monotonic()
        if self.step_began is not None and now - self.step_began > 1 and now - self.told > 0.2:
            name = self.steps[-1]["name"]
            if self.is_terminal:
                print(f"\r  …   {name:<10} {now - self.step_began:5.1f} s", end="", file=self.out, flush=True)
            elif self.told == self.step_began:
                print(f"  …   {name}", file=self.out, flush=True)
            self.told = now
        time.sleep(POLL)

    # lines for people

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def line(self, text=""):
        print(("\r\033[K" if self.is_terminal else "") + text, file=self.out, flush=True)

    @contextlib.contextmanager
    def step(self, name, proves):
        """One step; it yields a table for its facts. A fact is shown, too, unless it is made by `unseen`."""
        facts = Facts()
        record = {"name": name, "proves": proves, "ok": False, "seconds": 0.0, "facts": facts}
        self.steps.append(record)
        self.step_began = self.told = time.monotonic()
        try:
            yield facts
            self.check_pillars()
            record["ok"] = True
        finally:
            record["seconds"] = round(time.monotonic() - self.step_began, 3)
            self.step_began = None
            if record["ok"]:
                self.line(f"  {self.paint('ok', 32)}  {self.paint(f'{name:<10}', 1)} {record['seconds']:5.1f} s  {proves}")
                for label, text in facts.shown:
                    self.line(f"      {label:>18}  {text}")

    # the end

    def write_state(self, **more):
        """What --stop needs, also after an end that nobody wanted."""
        state = {"demo": os.getpid(), "began": session_of(os.getpid())[1], "kept": False,
                 "sessions": [p.session for p in self.processes], **more}
        path = self.folder / STATE
        path.with_suffix(".new").write_text(json.dumps(state))
        path.with_suffix(".new").rename(path)

    def stop(self):
        """Stops everything; processes that would not end, which there are none of."""
        self.pillars.clear()
        left = stop_sessions([p.session for p in self.processes])
        for process in self.processes:
            if process.popen.stdin is not None:
                with contextlib.suppress(OSError):
                    process.popen.stdin.close()
            process.popen.poll()
        return left

    def close(self):
        left = self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        return left


class Facts(dict):
    """Of a step, by name; what people see of them."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def show(self, label, text, **facts):
        """A line for people, and what programs get."""
        self.shown.append((label, text))
        self.update(facts)


# ---- what was kept ----

def kept(folders=()):
    """Folders of demonstrations of this user that are over, and their states: the named ones, or all there are."""
    if not folders:
        root = pathlib.Path(tempfile.gettempdir())
        folders = [path for path in root.glob(PREFIX + "*") if path.is_dir() and path.stat().st_uid == os.getuid()]
        is_named = False
    else:
        is_named = True
    for folder in map(pathlib.Path, folders):
        try:
            state = json.loads((folder / STATE).read_text())
        except (OSError, ValueError):
            if is_named:
                sys.exit(f"demo: {folder}: this is no folder of a demonstration")
            continue
        now = session_of(state["demo"])
        if state["kept"] or now is None or now[1] != state["began"]:
            yield folder, state
        elif is_named:
            sys.exit(f"demo: {folder}: its demonstration is still running: Ctrl-C ends it")


def stop_kept(folders):
    """Stops them, and removes the folders. An exit status."""
    count, status = 0, 0
    for folder, state in kept(folders):
        left = stop_sessions([tuple(session) for session in state["sessions"]])
        if left:
            print(f"demo: these do not end: {' '.join(map(str, left))}", file=sys.stderr)
            status = 1
        else:
            shutil.rmtree(folder)
            print(f"{folder}: stopped, and removed")
        count += 1
    if count == 0:
        print("no demonstration is running that was kept")
    return status
