"""What requests for rankings and their responses hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from perovshell.serve.ranking.objectives import ORDERS
from perovshell.serve.service import limits
from perovshell.serve.service.schemas import (
    COUNT,
    STRICT,
    ModelName,
    NeighbourOut,
    Shells,
    Sign,
    Text,
)
from perovshell.serve.space.preset import DEFAULT_PRESET

if TYPE_CHECKING:
    Order: TypeAlias = str
else:
    Order = Literal[ORDERS]


class RankIn(BaseModel):
    """A design space to rank, and how."""

    model_config = ConfigDict(
        **STRICT,
        json_schema_extra={
            "examples": [
                {"space": DEFAULT_PRESET, "top": 20},
                {
                    "space": {
                        "name": "small",
                        "cores": ["CsPbBr3", "CsPb(Br0.8I0.2)3"],
                        "shells": ["SiO2", "ZnS", "Al2O3"],
                        "pl_window_nm": [510, 540],
                        "stressor": "water",
                    }
                },
            ]
        },
    )

    space: Annotated[
        Text | dict[str, Any],
        Field(description="Name of a preset, or a design space with the keys of its YAML file."),
    ] = DEFAULT_PRESET
    top: Annotated[int, Field(ge=1, le=limits.LINES, description="Lines to keep."), COUNT] = 50
    order_by: Annotated[
        Order,
        Field(description="By what is known at least, by values, or by what may turn out best."),
    ] = "lower-bound"
    shells: Shells = []
    batch: Annotated[
        int,
        Field(ge=0, le=limits.CHOSEN, description="Also select so many dissimilar candidates."),
        COUNT,
    ] = 0
    suggest_experiments: Annotated[
        bool, Field(description="Whether to suggest the most informative experiments.")
    ] = False


_Papers: TypeAlias = Annotated[list[str], Field(description="DOIs, or ids of papers without one.")]


class RankedOut(BaseModel):
    """A line of a ranking; further numbers as in `AnswerOut`, with intervals of 90 %.

    For each stressor S there are the values that order, pooled over papers:
    `stability_gain_pooled_S`, `half_life_h_pooled_S`, and their lower bounds
    `stability_gain_at_least_S`, `half_life_h_at_least_S`. Each weighted objective has
    `desirability_NAME`; with `order_by` explore, `expected_improvement` replaces `score`. An
    unknown number and an end without a limit are null.
    """

    __pydantic_extra__: dict[str, float | bool | Sign | None] = Field(init=False)
    model_config = ConfigDict(extra="allow")

    rank: Annotated[int, Field(description="Rank in its list, from 1.")]
    core: str
    shell: Annotated[str, Field(description="Layers from the inside out, joined by |.")]
    structure: str
    encapsulation: str
    medium: str
    core_size_nm: float | None
    ties: Annotated[
        list[str], Field(description="Other shells or combinations that nothing known tells apart.")
    ]
    flags: Annotated[list[str], Field(description="What speaks against the coating.")]
    combination_papers: Annotated[_Papers, Field(description="They measured the combination.")]
    shell_papers: Annotated[_Papers, Field(description="They measured the shell on any core.")]
    nearest_papers: Annotated[str, Field(description="Papers nearest to it, joined by ;.")]
    evidence: Annotated[str, Field(description="Summary of the evidence.")]
    at_least_evidence: Annotated[
        dict[str, str], Field(description="What each lower bound is from, by its column.")
    ]
    pl_peak_nm: float | None
    plqy_percent: float | None
    plqy_pooled: Annotated[float | None, Field(description="Model and papers together, in %.")]
    plqy_at_least: Annotated[float | None, Field(description="Lower bound, 90 %, in %.")]
    in_domain: Annotated[bool, Field(description="Whether PL and PLQY are in domain.")]
    in_domain_pl: bool
    in_domain_plqy: bool
    domain_reasons: Annotated[
        list[str], Field(description="Why targets are out of domain; empty where all are in.")
    ]
    p_above_next: Annotated[float | None, Field(description="P(better than the next line).")]
    p_pareto: float | None
    is_pareto: Annotated[bool, Field(description="Whether it is on the Pareto front.")]


class MeasuredOut(RankedOut):
    """A combination that papers measured."""

    samples: Annotated[list[NeighbourOut], Field(description="What papers measured of it.")]


class ExperimentOut(BaseModel):
    """An experiment that would help to choose."""

    kind: str
    what: Annotated[str, Field(description="What to make or test.")]
    worth: Annotated[float, Field(description="Expected rise of the score of the best choice.")]
    p_changes: Annotated[float, Field(description="P(it changes the best choice).")]
    choice: Annotated[str, Field(description="The best choice before, by its expected score.")]
    why: Annotated[str, Field(description="What it would settle.")]


class ChosenOut(BaseModel):
    """A member of a diverse batch."""

    core: str
    shell: str


class ListOrderOut(BaseModel):
    """What a list of a ranking is ordered by."""

    phrase: Annotated[str, Field(description="In words, such as `by pooled values`.")]
    number: Annotated[str, Field(description="Name of the number that orders it.")]


class RankOut(BaseModel):
    """A ranking; with `Accept: text/html` its report is answered instead."""

    schema_version: Annotated[int, Field(description="Version of these keys.")]
    model: ModelName
    space: str
    order_by: Order
    complete: Annotated[bool, Field(description="Whether the whole space was ranked.")]
    ranked: Annotated[int, Field(description="Combinations without a paper that were ranked.")]
    removed: Annotated[dict[str, int], Field(description="Left out, by constraint.")]
    removed_text: Annotated[str, Field(description="The same as sentences; empty if none.")]
    order: Annotated[
        dict[str, ListOrderOut], Field(description="Of the lists `measured` and `candidates`.")
    ]
    statements: Annotated[list[str], Field(description="What orders the lists, and why.")]
    measured: Annotated[
        list[MeasuredOut], Field(description="What papers measured of what is asked.")
    ]
    candidates: Annotated[
        list[RankedOut], Field(description="What is worth trying: no paper measured it.")
    ]
    batch: Annotated[list[ChosenOut], Field(description="Dissimilar candidates, if asked.")]
    suggest_experiments: Annotated[
        list[ExperimentOut], Field(description="The most informative first, if asked.")
    ]
