"""Bodies for the fuzzer: valid ones of every route, and what a seeded draw makes of them."""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from _load import MEDIA, SHELLS, STRUCTURES, core

ROUTES: Final = {
    "/v1/predict": 98.3, "/v1/papers/check": 0.6, "/v1/papers/draft": 0.8, "/v1/evidence": 0.1,
    "/v1/papers": 0.19, "/v1/rank": 0.01,
}  # fmt: skip
"""The routes, and their shares in percent: a ranking takes as long as hundreds of predictions."""
_NUMBERS: Final = (
    0, -0.0, -1, 1, 1e-320, 1e308, 1e999, -1e999, 2**31, 2**53 + 1, 2**63, 10**400, 0.1 + 0.2,
    float("nan"), float("inf"), 300, 100.0000001, -273.16,
)  # fmt: skip
_TEXTS: Final = (
    "", " ", "\0", "\ud800", "\udfff\ud800", "\u202eOiS", "e\u0301\u0301\u0301", "\ufeff", "\ufdfa",
    "NaN", "null", "none", "unknown", "-1", "1e5", "=1+1", "'; --", "<b>", "../../etc", "%00", "💎",
    "CsPbBr₃", "ＣｓＰｂＢｒ３", "Ⅷ", "𝟙", "\u2028", "\r\n", "a" * 150, "a" * 300, "🧪" * 150,
)  # fmt: skip
_OTHERS: Final = (None, True, False, [], {}, [[]], "", 0)
_SIGNS: Final = tuple("()[]{}|@/.:;,·•*+-–_=xyzδ ₃ⁿ0123456789")
_SYMBOLS: Final = (
    "Cs", "FA", "MA", "Rb", "GUA", "PEA", "BA", "Pb", "Sn", "Ge", "Bi", "Sb", "Ag", "In", "Mn",
    "Cl", "Br", "I", "F", "Si", "O", "Zn", "S", "Xx", "CH3NH3", "C8H17NH3", "PMMA", "SiO2", "ZIF-8",
)  # fmt: skip
_DEEP: Final = 3000
_TYPES: Final = (
    "application/json; charset=utf-16", "application/json; charset=latin1", "text/plain", "",
    "application/problem+json", "application/json; charset=utf-7", "text/json",
)  # fmt: skip
_BOMB: Final = gzip.compress(b" " * 40_000_000, 9)

Body = Any


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        route: The route it is sent to.
        content: All of it, as it is sent.
    """

    route: str
    content: bytes


class Mutator:
    """Makes requests, the same ones for the same seed.

    Args:
        seed: The seed.
        paper: A paper as JSON.
        text: A text that papers are drafted from.
    """

    def __init__(self, seed: str, paper: dict[str, Any], text: str) -> None:
        self._draw = random.Random(seed)
        self._paper, self._text = paper, text

    def _chance(self, share: float) -> bool:
        return self._draw.random() < share

    def requests(self) -> Iterator[Request]:
        """Yield requests for ever."""
        names, shares = list(ROUTES), list(ROUTES.values())
        while True:
            (route,) = self._draw.choices(names, shares)
            if route == "/v1/evidence":
                yield self._query(route)
            else:
                yield self._post(route)

    def _post(self, route: str) -> Request:
        draw, body, headers = self._draw, self._valid(route), {}
        for _ in range(draw.randint(0, 3)):
            body = draw.choice(self._changes)(self, body)
        content = self._written(body)
        if self._chance(0.3):
            content = draw.choice(self._spoils)(self, content)
        if self._chance(0.05):
            headers["Content-Type"] = draw.choice(_TYPES)
        if self._chance(0.02):
            content, headers["Content-Encoding"] = self._packed(content)
        return Request(route, post(route, content, **headers))

    def _query(self, route: str) -> Request:
        draw = self._draw
        asked = {
            "core": self._formula(), "shell": draw.choice(SHELLS), "stressor": "water",
            "halide": "Br", "since": 2015, "medium": draw.choice(MEDIA), "family": "lead",
        }  # fmt: skip
        chosen = {name: asked[name] for name in draw.sample(list(asked), draw.randint(1, 3))}
        if self._chance(0.7):
            name = draw.choice(list(chosen))
            chosen[name] = draw.choice([*_TEXTS, *_NUMBERS])
        query = urlencode(chosen, errors="replace")
        if self._chance(0.1):
            query += draw.choice(
                ["&core=CsPbBr3&core=CsPbI3", "&nothing=1", "&%ff=%00", "&&=", "&core="]
            )
        return Request(route, f"GET {route}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    # What is valid ---------------------------------------------------------------------------

    def _valid(self, route: str) -> Body:
        draw = self._draw
        if route == "/v1/predict":
            body: Body = {
                "rows": [self._row() for _ in range(draw.choice((1, 1, 1, 1, 1, 1, 2, 3)))]
            }
            for name, value in (
                ("stressors", ["water", "light"]), ("coverage", 0.8), ("details", True),
                ("thresholds", {"pl_window_nm": [510, 530], "plqy_above": 50, "gain_above": 3}),
                ("shells", [{"name": "Newglass", "class": "oxide", "source": "10.1000/test"}]),
            ):  # fmt: skip
                if self._chance(0.03):
                    body[name] = copy.deepcopy(value)
            return body
        if route == "/v1/rank":
            space = {"cores": ["CsPbBr3"], "shells": ["SiO2", "PMMA"], "pl_window_nm": [500, 530]}
            return {"space": space, "top": 5, "order_by": draw.choice(("value", "lower-bound"))}
        if route == "/v1/papers/draft":
            sentences = self._text.split(". ")
            draw.shuffle(sentences)
            return {"text": ". ".join(sentences)}
        return {"paper": copy.deepcopy(self._paper), "replace": self._chance(0.5)}

    def _row(self) -> dict[str, Any]:
        draw = self._draw
        row = {"core": core(draw.randrange(9_000_000)), "shell": draw.choice(SHELLS)}
        if self._chance(0.4):
            row["core" if self._chance(0.7) else "shell"] = self._formula()
        more = {
            "medium": draw.choice(MEDIA), "structure": draw.choice(STRUCTURES), "core_size_nm": 9.5,
            "temperature_c": 60, "ligand": "DDAB", "shell_thickness_nm": 2, "bare_pl_peak_nm": 515,
        }  # fmt: skip
        return row | {name: more[name] for name in draw.sample(list(more), draw.randint(0, 3))}

    def _formula(self) -> str:
        """Return what looks like a formula, with brackets, amounts and signs of the grammar."""
        draw, made = self._draw, []
        for _ in range(draw.randint(1, 7)):
            made.append(draw.choice(_SYMBOLS))
            if self._chance(0.3):
                made.append(f"{draw.choice((0.5, 1, 2, 3, 1e-9, 12345, 0.333))}")
            elif self._chance(0.2):
                made.append(draw.choice(_SIGNS))
            elif self._chance(0.2):
                made[-1] = f"({made[-1]}{draw.choice(_SYMBOLS)}0.5){draw.randint(0, 4)}"
        return "".join(made)

    # What is changed in a document -----------------------------------------------------------

    def _places(self, body: Body) -> list[tuple[Any, Any]]:
        """Return every place of a document: what holds it, and its name or position there."""
        found, waiting = [], [body]
        while waiting:
            one = waiting.pop()
            keys: Sequence[Any] = ()
            if isinstance(one, dict):
                keys = list(one)
            elif isinstance(one, list):
                keys = range(len(one))
            for key in keys:
                found.append((one, key))
                waiting.append(one[key])
        return found

    def _replace(self, body: Body, values: Sequence[Any]) -> Body:
        places, value = self._places(body), copy.deepcopy(self._draw.choice(values))
        if not places:
            return value
        holder, key = self._draw.choice(places)
        holder[key] = value
        return body

    def _number(self, body: Body) -> Body:
        return self._replace(body, _NUMBERS)

    def _string(self, body: Body) -> Body:
        return self._replace(body, (*_TEXTS, self._formula()))

    def _other(self, body: Body) -> Body:
        return self._replace(body, _OTHERS)

    def _without(self, body: Body) -> Body:
        places = self._places(body)
        if places:
            holder, key = self._draw.choice(places)
            del holder[key]
        return body

    def _renamed(self, body: Body) -> Body:
        named = [(holder, key) for holder, key in self._places(body) if isinstance(holder, dict)]
        if named:
            holder, key = self._draw.choice(named)
            holder[self._draw.choice((key.upper(), f"{key} ", f"{key}_nm", *_TEXTS))] = holder[key]
        return body

    def _deeper(self, body: Body) -> Body:
        value: Body = 1
        for _ in range(self._draw.randint(1, 60)):
            value = [value] if self._chance(0.5) else {"rows": value}
        return self._replace(body, (value,))

    def _longer(self, body: Body) -> Body:
        lists = [holder[key] for holder, key in self._places(body) if isinstance(holder[key], list)]
        if lists and (one := self._draw.choice(lists)):
            one.extend(one[:1] * self._draw.choice((1, 5, 40)))
        return body

    def _inside(self, body: Body) -> Body:
        """Change letters of a text."""
        places = [(h, k) for h, k in self._places(body) if isinstance(h[k], str) and h[k]]
        if places:
            holder, key = self._draw.choice(places)
            text, at = holder[key], self._draw.randrange(len(holder[key]))
            sign = self._draw.choice((*_SIGNS, *_TEXTS, ""))
            holder[key] = text[:at] + sign + text[at + self._draw.randint(0, 2) :]
        return body

    # What is changed in the bytes ------------------------------------------------------------

    def _written(self, body: Body) -> bytes:
        text = json.dumps(body, ensure_ascii=self._chance(0.5))
        return text.encode("utf-8", "surrogatepass")

    def _flipped(self, content: bytes) -> bytes:
        spoiled = bytearray(content)
        for _ in range(self._draw.randint(1, 4)):
            if spoiled:
                spoiled[self._draw.randrange(len(spoiled))] ^= 1 << self._draw.randrange(8)
        return bytes(spoiled)

    def _cut(self, content: bytes) -> bytes:
        return content[: self._draw.randint(0, len(content))]

    def _joined(self, content: bytes) -> bytes:
        return content + self._draw.choice((content, b"\0", b"}", b"  ", b"\n{}", b"\xff\xfe"))

    def _twice(self, content: bytes) -> bytes:
        """Name the first key twice."""
        return content.replace(b"{", b'{"rows": [], "paper": {}, "text": "x", ', 1)

    def _encoded(self, content: bytes) -> bytes:
        encoding = self._draw.choice(("utf-16", "utf-32", "utf-16-be", "latin-1", "utf-8-sig"))
        return content.decode("utf-8", "replace").encode(encoding, "replace")

    def _nested(self, content: bytes) -> bytes:
        opened = self._draw.choice((b"[", b'{"rows":', b'{"paper":', b"[{", b"("))
        return opened * self._draw.randint(1, _DEEP) + content

    def _digits(self, content: bytes) -> bytes:
        return content.replace(b"1", b"1" * self._draw.choice((20, 400, 5000)), 1)

    def _packed(self, content: bytes) -> tuple[bytes, str]:
        draw = self._draw
        coding = draw.choice(("gzip", "gzip", "gzip", "x-gzip", "deflate", "gzip, gzip", "br"))
        if self._chance(0.1):
            return _BOMB, "gzip"
        packed = gzip.compress(content, 1) if self._chance(0.8) else zlib.compress(content)
        return (self._flipped(packed) if self._chance(0.4) else packed), coding

    _changes = (
        _number, _string, _other, _without, _renamed, _deeper, _longer, _inside, _inside,
    )  # fmt: skip
    _spoils = (_flipped, _flipped, _cut, _joined, _twice, _encoded, _nested, _digits)


def post(route: str, content: bytes, **headers: str) -> bytes:
    """Return a request as it is sent."""
    named = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"POST {quote(route)} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
