"""Throw random requests at the service, and show that it answers each of them as it should.

A real service gets random bytes, damaged and nested JSON, numbers too large to hold, words of wrong
kinds, formulas of random tokens, rows that are nearly right, and wrong types, encodings, methods
and paths. Whatever comes: the process lives, no answer is a 5xx, none takes longer than a second (a
ranking has more), and each is JSON: an answer, or a problem that names its status. The seed gives
every request again; the first that shows a fault is saved.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from _campaign import forget_settings
from _load import MEDIA, SHELLS, STRUCTURES, Reply, drive, free_port, post, row, running, told

from perovshell.data.dataset import Dataset
from perovshell.models.inputs import INPUT_COLUMNS, INPUT_NUMBERS
from perovshell.training.train import QUICK, train
from perovshell.workspace.workspace import Workspace

CONNECTIONS: Final = 2
"""So few that a request hardly waits for another: its time is its own."""
MOST_SECONDS: Final = 1.0
MOST_RANK_SECONDS: Final = 10.0
RANKINGS: Final = 1 / 500
"""Share of rankings, each of which starts a process."""
_TEXTS: Final = (
    "", " ", "\0", "\n", "\ud800", "\udfff\ud800", "é" * 50, "𝒳", "\u202e", "A" * 300, "9" * 400,
    "none", "null", "NaN", "../../etc/passwd", "%s%n", "{{7*7}}", "<script>", "'; --", "|", "@",
)  # fmt: skip
_NUMBERS: Final = (
    0, -1, 1, 1e308, -1e308, 5e-324, 10**30, -(10**400), 0.9, 2**63, 2**64, -0.0, 1e-9,
)  # fmt: skip
_RAW: Final = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"0" * 99, b"1" * 5000)
_TOKENS: Final = (
    "Cs", "FA", "MA", "Pb", "Sn", "Br", "I", "Cl", "Xx", "3", "0.5", "1e9", "0", "-1", "(", ")",
    "[", "]", "|", "@", "/", "·", "x", ".", ",", " ", "SiO2", "ZnS", "none", "CH3NH3", "99999999",
)  # fmt: skip
_TYPES: Final = (
    "application/json", "text/plain", "application/x-www-form-urlencoded", "", "application/xml",
    "multipart/form-data; boundary=x", "application/json; charset=utf-16", "\u00ff", "a/b/c",
)  # fmt: skip
_PATHS: Final = ("/v1/predict", "/v1/rank", "/v1/model", "/v1/nothing", "/healthz", "/%00", "/v1/")
_METHODS: Final = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "POST")


def main() -> None:
    """Run the campaign, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="number of requests")
    parser.add_argument("--seed", type=int, default=0, help="seed of the requests")
    parser.add_argument("--model", type=Path, help="model folder; else one is made")
    parser.add_argument("--save", type=Path, default=Path("fuzz-failure.bin"), help="its place")
    asked = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        place = Workspace(Path(folder) / "workspace")
        prepare(place, asked.model)
        found = campaign(place, Path(folder) / "log", asked.requests, asked.seed)
    for (kind, status), count in sorted(found.counts.items()):
        print(f"{kind:<18}{status:>5}{count:>9}")
    said = {"requests": asked.requests, "seed": asked.seed, "faults": len(found.faults)}
    print(json.dumps({**said, "slowest_s": round(found.slowest, 3)}))
    if found.faults:
        asked.save.write_bytes(found.shown)
        print("\n".join(found.faults[:20]), f"the first is in {asked.save}", file=sys.stderr)
        sys.exit(1)


def prepare(place: Workspace, model: Path | None) -> None:
    """Fill a workspace with one champion."""
    place.prepare()
    if model is None:
        model_id = train(Dataset.bundled(), place.models, QUICK).model_id
    else:
        model_id = json.loads((model / "manifest.json").read_bytes())["model_id"]
        shutil.copytree(model, place.models / model_id)
    place.set_champion(model_id, "the first")


@dataclass
class Found:
    """What a campaign found.

    Attributes:
        counts: Answers by kind of request and status.
        faults: What was wrong.
        shown: The first request that shows a fault.
        slowest: Seconds of the slowest answer that is no ranking.
    """

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    shown: bytes = b""
    slowest: float = 0.0

    def judge(self, kind: str, request: bytes, reply: Reply) -> None:
        """Note an answer and what is wrong with it."""
        self.counts[kind, reply.status] += 1
        if kind != "ranking":
            self.slowest = max(self.slowest, reply.seconds)
        wrong = fault_of(kind, request, reply)
        if wrong:
            self.shown = self.shown or request
            self.faults.append(f"request {reply.number}, {kind}: {wrong}: {request[:300]!r}")


def fault_of(kind: str, request: bytes, reply: Reply) -> str:
    """Return what is wrong with an answer; nothing where it is as it should be."""
    shown = reply.body[:200].decode(errors="replace")
    if not reply.status or reply.status >= 500:  # noqa: PLR2004
        return f"status {reply.status}: {shown}"
    if reply.seconds > (MOST_RANK_SECONDS if kind == "ranking" else MOST_SECONDS):
        return f"{reply.seconds:.2f} s"
    if kind == "broken head":  # What is no HTTP is refused before the application sees it.
        return "" if reply.status == 400 else f"status {reply.status}"  # noqa: PLR2004
    if request.startswith(b"HEAD ") or reply.status in {204, 304}:
        return ""
    return "" if _is_answer(reply) else f"status {reply.status} with {shown}"


def _is_answer(reply: Reply) -> bool:
    """Whether it is JSON, and a problem that names its status where it should be one."""
    squeezed = b"\r\ncontent-encoding: gzip" in reply.head
    try:
        body = json.loads(gzip.decompress(reply.body) if squeezed else reply.body)
    except (OSError, ValueError):
        return False
    return reply.status < 400 or body.get("status") == reply.status  # noqa: PLR2004


def campaign(place: Workspace, log: Path, count: int, seed: int) -> Found:
    """Serve a workspace and send random requests."""
    found, port = Found(), free_port()
    sent: dict[int, tuple[str, bytes]] = {}
    command = [sys.executable, "-m", "perovshell", "serve", "--workspace", str(place.root)]

    def requests() -> Iterator[bytes]:
        for number, (kind, request) in enumerate(generated(count, seed)):
            sent[number] = kind, request
            yield request

    def see(reply: Reply) -> None:
        found.judge(*sent.pop(reply.number), reply)

    with running([*command, "--port", str(port)], port, "/readyz", log) as process:
        try:
            drive(port, requests(), see, CONNECTIONS)
            if told(port, "/healthz") != {"status": "ok"}:
                found.faults.append("/healthz is not well afterwards")
        except OSError as error:
            found.faults.append(f"the service went away: {error!r}")
            found.shown = found.shown or next(iter(sent.values()), ("", b""))[1]
        if process.poll() is not None:
            found.faults.append(f"the service ended with {process.poll()}")
    found.faults += [
        f"the log has a traceback: {line[-300:]}"
        for line in log.read_text(errors="replace").splitlines()
        if "traceback" in line.lower()
    ]
    return found


# What is sent --------------------------------------------------------------------------------


def generated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Return kinds and requests, always the same ones for a seed."""
    draw = random.Random(seed)
    kinds = list(KINDS)
    for _ in range(count):
        kind = "ranking" if draw.random() < RANKINGS else draw.choice(kinds)
        yield kind, KINDS.get(kind, ranking)(draw)


def predict(body: bytes, content_type: str = "application/json") -> bytes:
    """Return a prediction request of some bytes."""
    made = post("/v1/predict", body)
    return made.replace(b"application/json", content_type.encode("latin-1"), 1)


def near_row(draw: random.Random) -> dict[str, Any]:
    """Return a row with some odd cells; most of the kind that their columns have."""
    made = row(draw.randrange(9_000_000))
    for _ in range(draw.randrange(4)):
        column = draw.choice(INPUT_COLUMNS)
        if draw.random() < 0.05:  # noqa: PLR2004
            made[draw.choice([column, "colour"])] = value(draw)
        elif column in INPUT_NUMBERS:
            made[column] = draw.choice([*_NUMBERS, draw.uniform(0, 900), None])
        else:
            made[column] = draw.choice([*_TEXTS, *STRUCTURES, *MEDIA, formula(draw), None])
    return made


def value(draw: random.Random, depth: int = 0) -> Any:
    """Return any value that JSON can hold, and some that it cannot."""
    choice = draw.randrange(9 if depth < 3 else 7)  # noqa: PLR2004
    if choice <= 1:
        return draw.choice(_NUMBERS)
    if choice <= 3:  # noqa: PLR2004
        return draw.choice([*_TEXTS, *SHELLS, *STRUCTURES, *MEDIA, formula(draw)])
    if choice <= 6:  # noqa: PLR2004
        return draw.choice([None, True, False, float("nan"), float("inf"), draw.uniform(-9, 999)])
    inner = [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if choice == 7:  # noqa: PLR2004
        return inner
    return {draw.choice([*_TEXTS, *INPUT_COLUMNS]): one for one in inner}


def formula(draw: random.Random) -> str:
    """Return random tokens of formulas, long ones now and then."""
    most = 200 if draw.random() < 0.05 else 12  # noqa: PLR2004
    return "".join(draw.choices(_TOKENS, k=draw.randint(1, most)))


def asked(draw: random.Random) -> dict[str, Any]:
    """Return a request of rows that are nearly right, with some of its options."""
    made: dict[str, Any] = {"rows": [near_row(draw) for _ in range(draw.randint(1, 5))]}
    options: dict[str, list[Any]] = {
        "stressors": [[], ["water"], ["water", "water"], ["light", "heat", "x"], value(draw)],
        "coverage": [0.5, 0.999999, 1e-300, 0, 1, value(draw)],
        "details": [True, False, value(draw)],
        "thresholds": [
            {"pl_window_nm": [500, draw.choice([540, 400, 500, 1e308, 1e-300])]},
            {"plqy_above": value(draw)},
            {"gain_above": draw.choice([2, 1e308, 1.9])},
            value(draw),
        ],
    }
    for name in draw.sample(list(options), draw.randrange(3)):
        made[name] = draw.choice(options[name])
    return made


def encoded(given: Any) -> bytes:
    """Return JSON as Python writes it, NaN and lone surrogates too."""
    return json.dumps(given).encode()


def near(draw: random.Random) -> bytes:
    """Return rows that are nearly right."""
    return predict(encoded(asked(draw)))


def formulas(draw: random.Random) -> bytes:
    """Return cores and shells of random tokens."""
    rows = [{"core": formula(draw), "shell": formula(draw)} for _ in range(draw.randint(1, 8))]
    return predict(encoded({"rows": rows}))


def anything(draw: random.Random) -> bytes:
    """Return JSON of any shape."""
    return predict(encoded(draw.choice([value(draw), {"rows": value(draw)}, [asked(draw)]])))


def noise(draw: random.Random) -> bytes:
    """Return random bytes."""
    return predict(draw.randbytes(draw.randrange(300)))


def mutated(draw: random.Random) -> bytes:
    """Return JSON that was cut, or in which bytes were changed, put in, doubled or left out."""
    body = bytearray(encoded(asked(draw)))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(body) + 1)
        how = draw.randrange(5)
        if how == 0:
            del body[at:]
        elif how == 1:
            del body[at : at + draw.randint(1, 9)]
        elif how == 2:  # noqa: PLR2004
            body[at:at] = draw.randbytes(draw.randint(1, 4))
        elif how == 3:  # noqa: PLR2004
            body[at:at] = body[at : at + 40]
        else:
            body[at : at + 1] = draw.choice([*_RAW, b"\xed\xa0\x80", b"\\ud800", b"\xff"])
    return predict(bytes(body))


def nested(draw: random.Random) -> bytes:
    """Return arrays or objects within each other, many or few."""
    depth = draw.choice([50, 200, 900, 1100, 5000, 50_000])
    opened, closed = draw.choice([(b"[", b"]"), (b'{"rows":', b"}"), (b'[{"core":', b"}]")])
    inner = opened * depth + b"1" + closed * (depth if draw.random() < 1 / 2 else 0)
    return predict(draw.choice([inner, b'{"rows":[{"core":' + inner + b"}]}"]))


def doubled(draw: random.Random) -> bytes:
    """Return objects that have a key twice, and numbers that no float holds."""
    key, raw = draw.choice(INPUT_COLUMNS), draw.choice(_RAW)
    cell = encoded(near_row(draw))[:-1] + f', "{key}": '.encode() + raw + b"}"
    return predict(b'{"rows": [' + cell + b'], "rows": [' + cell + b"]}")


def long(draw: random.Random) -> bytes:
    """Return long texts and many rows."""
    if draw.random() < 1 / 2:
        size = draw.choice([299, 300, 301, 10_000, 300_000])
        return predict(encoded({"rows": [{"core": formula(draw)[:1] * size, "shell": "none"}]}))
    return predict(encoded({"rows": [near_row(draw)] * draw.choice([100, 101, 300])}))


def typed(draw: random.Random) -> bytes:
    """Return wrong content types, and bodies in other encodings."""
    given, name = encoded(asked(draw)), draw.choice(_TYPES)
    encodings: list[Callable[[bytes], bytes]] = [
        bytes, gzip.compress, lambda body: body.decode().encode("utf-16"),
        lambda body: b"\xef\xbb\xbf" + body, lambda body: body.decode().encode("utf-32"),
    ]  # fmt: skip
    body = draw.choice(encodings)(given)
    encoding = draw.choice([{}, {"Content-Encoding": "gzip"}, {"Accept-Encoding": "gzip;q=x"}])
    made = post("/v1/predict", body, encoding)
    return made.replace(b"application/json", name.encode("latin-1"), 1)


def methods(draw: random.Random) -> bytes:
    """Return other methods and paths."""
    method, path = draw.choice(_METHODS), draw.choice(_PATHS)
    if (method, path) == ("POST", "/v1/rank"):  # That is a ranking.
        path = "/v1/nothing"
    return post(path, b"{}").replace(b"POST", method.encode(), 1)


def broken_head(draw: random.Random) -> bytes:
    """Return what is no HTTP."""
    line = draw.choice(
        ["", "GET", "POST /v1/predict", "POST / HTTP/9.9x", "BREW / HTTP/1.1", "\0 / x"]
    )
    return line.encode() + draw.choice([b"\r\n: x\r\n\r\n", b"\r\nA\0: b\r\n\r\n"])


def ranking(draw: random.Random) -> bytes:
    """Return a ranking of a space that is no space, or a very small one."""
    small = {"name": "s", "cores": ["CsPbBr3"], "shells": ["SiO2"], "pl_window_nm": [510, 540]}
    small |= {"stressor": "water"}
    key = draw.choice(list(small))
    space = draw.choice([small, {**small, key: value(draw)}, value(draw), formula(draw)])
    return post("/v1/rank", encoded({"space": space, "top": draw.choice([1, 50, value(draw)])}))


KINDS: Final[dict[str, Callable[[random.Random], bytes]]] = {
    "nearly right": near, "formulas": formulas, "any JSON": anything, "noise": noise,
    "mutated": mutated, "nested": nested, "doubled": doubled, "long": long, "types": typed,
    "methods": methods, "broken head": broken_head,
}  # fmt: skip


if __name__ == "__main__":
    main()
