"""Citations of papers as BibTeX, RIS and plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from perovshell.data.records import Paper
from perovshell.errors import InputError
from perovshell.texts import excerpt

_SPECIAL: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", **{sign: f"\\{sign}" for sign in "&%$#_"},
}  # fmt: skip
"""What BibTeX reads as commands, and how it is written."""
_IN_DOI: Final = {"\\": "%5C", "{": "%7B", "}": "%7D"}
"""What a DOI may have, and no field of BibTeX alone; it is written as in an address."""
_DOI: Final = "https://doi.org/"


def bibtex(papers: Iterable[Paper]) -> str:
    r"""Return papers as BibTeX entries; the paper_id is the key.

    A paper without a DOI names where its facts were read.

    Examples:
        >>> paper = Paper("hu2018", "10.1/x", "", 2018, "Dots & shells", "Hu, H.; Li, B.", "", 1)
        >>> print(bibtex([paper]))
        @misc{hu2018,
          author = {Hu, H. and Li, B.},
          title = {{Dots \& shells}},
          year = {2018},
          doi = {10.1/x}
        }
        <BLANKLINE>
    """
    return "\n".join(_bibtex(paper) for paper in papers)


def _bibtex(paper: Paper) -> str:
    fields = {
        "author": " and ".join(map(_escaped, _authors(paper))),
        "title": f"{{{_escaped(paper.title)}}}" if paper.title else "",
        "journal": _escaped(paper.journal),
        "year": str(paper.year or ""),
        "doi": "".join(_IN_DOI.get(sign, sign) for sign in paper.doi),
        "note": _escaped(_read_in(paper)),
    }
    kind = "article" if paper.journal else "misc"
    lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
    return f"@{kind}{{{_key(paper)},\n" + ",\n".join(lines) + "\n}\n"


def ris(papers: Iterable[Paper]) -> str:
    """Return papers as RIS records."""
    return "\n".join(_ris(paper) for paper in papers)


def _ris(paper: Paper) -> str:
    lines = [("TY", "JOUR" if paper.journal else "GEN"), ("ID", _key(paper))]
    lines += [("AU", author) for author in _authors(paper)]
    lines += [
        ("TI", paper.title),
        ("JO", paper.journal),
        ("PY", str(paper.year or "")),
        ("DO", paper.doi),
        ("N1", _read_in(paper)),
        ("ER", ""),
    ]
    return "".join(f"{tag}  - {_line(text)}\n" for tag, text in lines if text or tag == "ER")


def plain(papers: Iterable[Paper]) -> str:
    """Return papers as lines of text."""
    return "".join(f"{_plain(paper)}\n" for paper in papers)


def _plain(paper: Paper) -> str:
    known = ["; ".join(_authors(paper)), paper.title, paper.journal, str(paper.year or "")]
    where = f"{_DOI}{paper.doi}" if paper.doi else _read_in(paper)
    texts = [_line(text).rstrip(".") for text in (*known, where) if text]
    return ". ".join(texts or [paper.paper_id])


FORMATS: Final[Mapping[str, Callable[[Iterable[Paper]], str]]] = {
    "bibtex": bibtex,
    "ris": ris,
    "text": plain,
}
"""Formats of citations."""


def citations_of(papers: Iterable[Paper], names: Iterable[str], form: str = "bibtex") -> str:
    """Return named papers as citations, each once, in the order of their paper_ids.

    Args:
        papers: All papers.
        names: DOIs or paper_ids.
        form: One of `FORMATS`.

    Raises:
        InputError: There is no such paper, or no such format.
    """
    if isinstance(names, str):
        msg = f"papers {excerpt(names)!r}: a list is needed, such as ['hu2018']"
        raise InputError(msg)
    if form not in FORMATS:
        msg = f"citations {form!r}: allowed: {', '.join(FORMATS)}"
        raise InputError(msg)
    known = {name: paper for paper in papers for name in (paper.label, paper.paper_id)}
    chosen: dict[str, Paper] = {}
    for name in names:
        if name not in known:
            msg = f"paper {name!r}: not in the data; a DOI or a paper_id is needed"
            raise InputError(msg)
        chosen[known[name].paper_id] = known[name]
    return FORMATS[form](chosen[name] for name in sorted(chosen))


def _authors(paper: Paper) -> list[str]:
    return [author.strip() for author in paper.authors.split(";") if author.strip()]


def _read_in(paper: Paper) -> str:
    """Return where the facts of a paper were read that has no DOI; empty of another."""
    if paper.doi:
        return ""
    return f"{paper.paper_id}, read in {_DOI}{paper.via_doi}" if paper.via_doi else paper.paper_id


def _key(paper: Paper) -> str:
    return re.sub(r"[^A-Za-z0-9_:.-]", "_", paper.paper_id)


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in _line(text))


def _line(text: str) -> str:
    """Return a text on one line: another would begin a field, or end the record."""
    return " ".join(text.split())
