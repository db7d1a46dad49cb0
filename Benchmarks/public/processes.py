"""Processes: starting and ending our own, and who used how much CPU, from /proc/PID/stat (proc(5))."""
import os
import signal
import subprocess
import time

TICKS = os.sysconf('SC_CLK_TCK')


class Stat:
    """One process: its parent, when it began, and the ticks it and the children it waited for have used."""

    def __init__(self, pid):
        with open(f'/proc/{pid}/stat') as file:
            fields = file.read().rpartition(')')[2].split()
        self.state, self.parent, self.began = fields[0], int(fields[1]), int(fields[19])
        self.ticks = sum(map(int, fields[11:15]))


def stats():
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                found[int(name)] = Stat(name)
            except (FileNotFoundError, ProcessLookupError):
                pass  # ended meanwhile
    return found


def descendants(roots, known):
    """The processes in `roots` and all below them."""
    children = {}
    for pid, stat in known.items():
        children.setdefault(stat.parent, []).append(pid)
    found, waiting = set(), [pid for pid in roots if pid in known]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(root):
    """What the process `root` and all below it have used so far, user and system."""
    known = stats()
    return sum(known[pid].ticks for pid in descendants([root], known)) / TICKS


def start(command, log=subprocess.DEVNULL, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options)


def end(process):
    """Ends a process of ours and all below it: asked to, and after 3 s made to."""
    known = stats()
    family = {pid: known[pid].began for pid in descendants([process.pid], known)}

    def living():
        process.poll()
        now = stats()
        # A number that was given to another process since is none of ours.
        return [pid for pid, began in family.items() if pid in now and now[pid].began == began and now[pid].state != 'Z']
    for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
        for pid in living():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        limit = time.monotonic() + patience
        while living() and time.monotonic() < limit:
            time.sleep(0.01)
    process.poll()


class Others:
    """What processes that are not ours have used since this was made, in cores."""

    def __init__(self):
        self.began, self.before = time.monotonic(), self.look()

    @staticmethod
    def look():
        known = stats()
        ours = descendants([os.getpid()], known)
        # Not the kernel's own threads (below kthreadd, 2): what they do here is our network's. Nor init (1), which takes in orphans of all.
        return {(pid, stat.began): stat.ticks for pid, stat in known.items() if pid not in ours and pid > 2 and stat.parent != 2}

    def cores(self):
        used = sum(max(0, ticks - self.before.get(key, 0)) for key, ticks in self.look().items())
        return used / TICKS / (time.monotonic() - self.began)


def wait_until_idle(patience):
    """Waits until others have used less than a third of a core for 3 s; false if that takes longer than `patience`."""
    limit = time.monotonic() + patience
    while True:
        others = Others()
        time.sleep(3)
        if others.cores() < 0.3:
            return True
        if time.monotonic() > limit:
            return False
