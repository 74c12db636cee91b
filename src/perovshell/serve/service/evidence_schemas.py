"""What requests and responses of the literature hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from perovshell.serve.service import limits

_Word: TypeAlias = Annotated[str, Field(max_length=300)]
_Year: TypeAlias = Annotated[int | None, Field(ge=1900, le=2200)]


class EvidenceIn(BaseModel):
    """What is asked of the literature; what is left out asks for everything."""

    # Numbers of an address are text, so they are read.
    model_config = ConfigDict(extra="forbid")

    core: Annotated[_Word, Field(description="Formula of the core.")] = ""
    family: Annotated[_Word, Field(description="lead, tin or lead-free.")] = ""
    halide: Annotated[_Word, Field(description="Cl, Br or I: the main halide.")] = ""
    shell: Annotated[_Word, Field(description="Name, layers joined by |, or a class.")] = ""
    stressor: Annotated[_Word, Field(description="Such as water, light, heat.")] = ""
    medium: Annotated[_Word, Field(description="Medium of the emission measurement.")] = ""
    structure: Annotated[_Word, Field(description="Such as core/shell, matrix.")] = ""
    quality: Annotated[_Word, Field(description="How a number was stated.")] = ""
    since: Annotated[_Year, Field(description="First year of publication.")] = None
    until: Annotated[_Year, Field(description="Last year of publication.")] = None

    @property
    def words(self) -> dict[str, Any]:
        """What is asked of the literature, by name."""
        given = ((name, getattr(self, name)) for name in EvidenceIn.model_fields)
        return {name: word for name, word in given if word not in ("", None)}


class PlotIn(EvidenceIn):
    """A query, and what is drawn of it."""

    show: Annotated[
        Literal["stability", "pl", "plqy"],
        Field(description="Forest plots; PL by composition and size; PLQY by shell."),
    ] = "stability"
    layout: Annotated[
        Literal["wide", "narrow"], Field(description="For a desk, or for a phone.")
    ] = "wide"


class CitationsIn(EvidenceIn):
    """Papers to cite: those that are named, or those behind a query."""

    paper: Annotated[
        list[_Word],
        Field(max_length=limits.CITED, description="DOI or paper_id; instead of a query."),
    ] = []


class PooledOut(BaseModel):
    """A half-life (h) or a gain of a combination, a shell or a class, pooled over papers."""

    quantity: Annotated[str, Field(description="half-life or gain.")]
    stressor: str
    level: Annotated[str, Field(description="combination, shell, class or all.")]
    name: str
    tests: int
    papers: int
    at_least: Annotated[float, Field(description="Lower bound with a probability of 90 %.")]
    median: Annotated[float | None, Field(description="null where it was not reached.")]
    at_most: Annotated[float | None, Field(description="Upper bound; null without a median.")]
    spread: Annotated[
        float | None,
        Field(description="Factor by which papers differ; null where no group has two papers."),
    ]


class EvidenceOut(BaseModel):
    """What papers measured."""

    schema_version: int
    query: Annotated[dict[str, str], Field(description="What was asked for.")]
    tests: Annotated[
        list[dict[str, str | int | float | None]],
        Field(description="Stability tests; half-lives in hours, null where there is no end."),
    ]
    samples: Annotated[
        list[dict[str, str | int | float | None]], Field(description="Samples with PL and PLQY.")
    ]
    pooled: list[PooledOut]
    plots: Annotated[list[str], Field(description="Values of `show` that have a plot.")]
