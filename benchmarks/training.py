"""Time and memory of `perovshell train` on the bundled data, with the headline validation."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def tree_memory_mb(root: int) -> float:
    """Return the resident memory of a process and its children, in MB (Linux)."""
    page = os.sysconf("SC_PAGE_SIZE") / 1e6
    children: dict[int, list[int]] = {}
    resident: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            resident[int(entry.name)] = int((entry / "statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            continue
        children.setdefault(int(stat[1]), []).append(int(entry.name))
    pending, total = [root], 0.0
    while pending:
        process = pending.pop()
        total += resident.get(process, 0.0)
        pending += children.get(process, [])
    return total


def main() -> None:
    """Train in a process of its own and watch it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "perovshell", "train", "--workspace", folder]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak = 0.0
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.2):
                peak = max(peak, tree_memory_mb(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    if code:
        sys.exit(f"train ended with exit code {code}")
    print(f"train: {seconds:.1f} s, peak memory of all its processes {peak:.0f} MB")
    print(json.dumps({"seconds": round(seconds, 2), "peak_memory_mb": round(peak, 1)}))


if __name__ == "__main__":
    main()
