"""What requests and responses hold; the OpenAPI description is made of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from perovshell.data.vocabulary import STRESSORS
from perovshell.models.inputs import INPUTS, Input
from perovshell.models.outputs import DEFAULT_COVERAGE, DEFAULT_STRESSORS, Thresholds
from perovshell.serve.ranking.objectives import ORDERS
from perovshell.serve.service import limits
from perovshell.serve.space.file import DEFAULT_PRESET
from perovshell.targets.declared import MIN_GAIN
from perovshell.targets.target import NOT_REACHED

if TYPE_CHECKING:
    Stressor: TypeAlias = str
    Order: TypeAlias = str
    Sign: TypeAlias = str
else:
    Stressor, Order = Literal[STRESSORS], Literal[ORDERS]
    Sign = Literal["", *NOT_REACHED]
Text = Annotated[str, Field(max_length=limits.TEXT)]


def _whole(given: Any) -> Any:
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _scalar(cell: Any) -> Any:
    if isinstance(cell, list | dict):
        kind, rule = "cell", "a cell is text, a number, true, false or null"
        raise PydanticCustomError(kind, rule)
    return cell


# JSON schema counts 5.0 among the integers.
_COUNT = BeforeValidator(_whole)
Number = Annotated[float, Field(allow_inf_nan=False)]
Cell = Annotated[
    Any,
    # One validator, not a union: that would report a fault for each of its types.
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
"""The model decides whether it can be read, row by row."""
_STRICT = ConfigDict(extra="forbid", strict=True)


def _cell(column: Input) -> Any:
    description = f"{column.description[0].upper()}{column.description[1:]}; {column.allowed}."
    return Annotated[Cell, Field(description=description)]


if TYPE_CHECKING:
    Row: TypeAlias = dict[str, Any]
else:
    Row = TypedDict("Row", {name: _cell(column) for name, column in INPUTS.items()}, total=False)
    Row.__doc__ = """A core/shell combination; what is left out or null is unknown.

    A cell that cannot be read is no fault of the request: the answer gives the reason in `error`.
    Numbers may be text, such as "6.5".
    """
    Row.__pydantic_config__ = _STRICT


class ThresholdsIn(BaseModel):
    """Thresholds whose probability is asked; each adds columns to the answer."""

    model_config = _STRICT

    pl_window_nm: Annotated[
        list[Annotated[Number, Field(gt=0)]] | None,
        Field(min_length=2, max_length=2, description="Two rising wavelengths in nm."),
    ] = None
    plqy_above: Annotated[Number | None, Field(ge=0, lt=100, description="In percent.")] = None
    gain_above: Annotated[Number | None, Field(ge=MIN_GAIN, description="A factor.")] = None

    def read(self) -> Thresholds:
        """Return the thresholds.

        Raises:
            InputError: A window does not rise.
        """
        window = None if self.pl_window_nm is None else (self.pl_window_nm[0], self.pl_window_nm[1])
        return Thresholds(window, self.plqy_above, self.gain_above)


class ShellIn(BaseModel):
    """A shell that no table has; it is predicted from its class and its formula."""

    model_config = _STRICT

    name: Text
    material_class: Annotated[Text, Field(alias="class", description="Such as polymer.")]
    source: Annotated[Text, Field(description="DOI or address of what is stated.")]
    formula: Annotated[Text, Field(description="Formula or repeat unit; empty is open.")] = ""
    aliases: Annotated[list[Text], Field(max_length=limits.SHELLS)] = []
    in_water: Annotated[Text, Field(description="Behaviour in water; empty is unknown.")] = ""


Shells: TypeAlias = Annotated[
    list[ShellIn], Field(max_length=limits.SHELLS, description="Shells that no table has.")
]


class PredictIn(BaseModel):
    """Combinations to predict."""

    model_config = ConfigDict(
        **_STRICT,
        json_schema_extra={
            "examples": [
                {"rows": [{"core": "CsPbBr3", "shell": "SiO2"}]},
                {
                    "rows": [{"core": "CsPb(Br0.6I0.4)3", "shell": "CdS|Al2O3", "medium": "film"}],
                    "stressors": ["water"],
                    "coverage": 0.8,
                    "thresholds": {"plqy_above": 50},
                    "details": True,
                },
            ]
        },
    )

    rows: Annotated[list[Row], Field(min_length=1, max_length=limits.ROWS)]
    stressors: Annotated[
        list[Stressor],
        Field(max_length=len(STRESSORS), json_schema_extra={"uniqueItems": True}),
    ] = list(DEFAULT_STRESSORS)
    coverage: Annotated[Number, Field(gt=0, lt=1, description="Of the intervals.")] = (
        DEFAULT_COVERAGE
    )
    thresholds: ThresholdsIn = ThresholdsIn()
    shells: Shells = []
    details: Annotated[
        bool,
        Field(
            description="Add `details` to each answer: nearest and measured samples, conditions "
            f"and feature contributions. At most {limits.DETAILED_ROWS} rows."
        ),
    ] = False


class DraftIn(BaseModel):
    """The text of an abstract or a paper; its first line is the title."""

    model_config = _STRICT

    text: Annotated[str, Field(min_length=1, max_length=limits.DRAFT_TEXT)]


PaperMapping: TypeAlias = Annotated[
    dict[str, Any],
    Field(
        description="A paper with the keys of a paper file; see `perovshell data template`.",
        examples=[
            {
                "paper_id": "smith2026",
                "source": "primary abstract",
                "samples": [
                    {"name": "S1", "core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell"}
                ],
            }
        ],
    ),
]
Pointer: TypeAlias = Annotated[str, Field(description="A JSON pointer in the paper.")]


class CheckIn(BaseModel):
    """A paper to check."""

    model_config = _STRICT

    paper: PaperMapping
    replace: Annotated[
        bool, Field(description="Whether it corrects the paper of the same paper_id.")
    ] = False


class AddIn(CheckIn):
    """A paper to add."""

    accept_outliers: Annotated[
        bool, Field(description="Whether values are taken that look wrong.")
    ] = False


class OpenOut(BaseModel):
    """A key that the text leaves open."""

    pointer: Pointer
    detail: Annotated[str, Field(description="What is not clear, or what is needed.")]


class DraftOut(BaseModel):
    """A drafted paper."""

    paper: dict[str, Any]
    sentences: Annotated[
        dict[str, list[str]], Field(description="Where each value was read, by JSON pointer.")
    ]
    open: list[OpenOut]
    unclear: Annotated[
        list[str], Field(description="Statements that are of no sample for certain.")
    ]
    summary: str
    yaml: Annotated[str, Field(description="The paper file as `perovshell draft` writes it.")]


class FaultOut(BaseModel):
    """A fault of a paper."""

    pointer: Pointer
    detail: Annotated[str, Field(description="What is allowed.")]


class QuestionOut(BaseModel):
    """A value that a person should look at."""

    pointer: Pointer
    sample_id: str
    column: str
    value: Annotated[str, Field(description="As it was read, with its unit.")]
    expected: str
    reason: str
    is_outlier: Annotated[bool, Field(description="Whether it needs an explicit acceptance.")]


class CheckOut(BaseModel):
    """What is wrong with a paper, how it is understood, and what is asked."""

    faults: list[FaultOut]
    understood: list[str]
    questions: list[QuestionOut]
    changes: Annotated[list[str], Field(description="What a correction changes.")]
    unchanged: Annotated[list[str], Field(description="Papers that are in the workspace already.")]
    yaml: Annotated[str, Field(description="The paper file.")]


class DatasetOut(BaseModel):
    """The dataset of the workspace after a change."""

    papers: int
    samples: int
    stability_tests: int
    hash: str


class AddedOut(BaseModel):
    """A paper that was added."""

    paper_id: str
    understood: list[str]
    dataset: DatasetOut
    next: Annotated[str, Field(description="What is to be done so that the model knows it.")]
    yaml: Annotated[str, Field(description="The paper file.")]


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    pointer: Annotated[str, Field(description="Place in the request, a JSON pointer.")] = ""
    errors: list[dict[str, str]] = []
    questions: list[QuestionOut] = []


class ModelName(BaseModel):
    """The model that answered."""

    id: str
    version: str | None
    dataset_hash: str


class NeighbourOut(BaseModel):
    """A literature sample."""

    sample_id: str
    paper: Annotated[str, Field(description="DOI, or the id of a paper without one.")]
    distance: float
    core: str
    shell: str
    pl_peak_nm: float | None
    plqy_percent: float | None
    stability: Annotated[str, Field(description="What its stability tests showed.")] = ""
    medium: Annotated[str, Field(description="In what its emission was measured.")] = "unknown"
    morphology: Annotated[str, Field(description="Its shape.")] = "nanocrystal"
    core_size_nm: Annotated[float | None, Field(description="Its core size in nm.")] = None


class ComparedSampleOut(NeighbourOut):
    """A literature sample, compared with what is asked."""

    differs: Annotated[list[str], Field(description="Other core, shell, size, shape or medium.")]


class MeasuredSampleOut(ComparedSampleOut):
    """A literature sample of the same core and shell, with the bare core of the same paper."""

    bare_pl_peak_nm: Annotated[
        float | None, Field(description="PL of the bare core that the same paper measured.")
    ]
    bare_plqy_percent: Annotated[
        float | None, Field(description="PLQY of the bare core that the same paper measured.")
    ]


class ReasonOut(BaseModel):
    """Contributions to one target of a prediction."""

    target: str
    unit: str
    start: float
    moved: dict[str, float]
    sentence: str


class DetailsOut(BaseModel):
    """What is behind an answer."""

    nearest: Annotated[list[ComparedSampleOut], Field(description="One sample per paper.")]
    measured: Annotated[list[MeasuredSampleOut], Field(description="Of the same core and shell.")]
    conditions: Annotated[
        dict[str, dict[str, float]], Field(description="Assumed for each stressor.")
    ]
    reasons: Annotated[list[ReasonOut], Field(description="The feature contributions.")]


class AnswerOut(BaseModel):
    """The answer to one row: numbers with intervals, each NAME with NAME_lower and NAME_upper.

    For each stressor S there are `half_life_h_S` and `stability_gain_S`, each with NAME_bound: `>`
    where its median was not reached and the value is a lower bound, `<` or `~` where that is so of
    the bare core, else empty. An unknown number is null; so is an end without a limit, which also
    has `NAME_open: true`.
    """

    __pydantic_extra__: dict[str, float | bool | Sign | None] = Field(init=False)
    model_config = ConfigDict(extra="allow")

    pl_peak_nm: float | None
    plqy_percent: float | None
    pl_shift_nm: float | None
    plqy_change: float | None
    in_domain: bool
    domain_reasons: Annotated[list[str], Field(description="Why not; empty in domain.")]
    flags: Annotated[list[str], Field(description="What speaks against the coating.")]
    notes: Annotated[list[str], Field(description="Ignored inputs, unknown shells, no skill.")]
    measured: Annotated[list[str], Field(description="Samples of the same core and shell.")]
    nearest_papers: str
    error: Annotated[str, Field(description="Empty, or why this row has no answer.")]
    details: Annotated[DetailsOut | None, Field(description="Only where they are asked.")] = None


class PredictOut(BaseModel):
    """Answers in the order of the rows."""

    model: ModelName
    answers: list[AnswerOut]
    failed: Annotated[int, Field(description="Rows that could not be answered.")]
    problems: Annotated[list[Problem], Field(description="Why, a problem a row.")]


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
        """What is asked for, by name."""
        return {name: word for name, word in self if word not in ("", None)}


class PlotIn(EvidenceIn):
    """A query, and what is drawn of it."""

    show: Annotated[
        Literal["stability", "pl", "plqy"],
        Field(description="Forest plots; PL by composition and size; PLQY by shell."),
    ] = "stability"

    @property
    def words(self) -> dict[str, Any]:
        """What is asked for, by name, without what is drawn."""
        return {name: word for name, word in super().words.items() if name != "show"}


class CitationsIn(EvidenceIn):
    """Papers to cite: those that are named, or those behind a query."""

    paper: Annotated[
        list[_Word],
        Field(max_length=limits.CITED, description="DOI or paper_id; instead of a query."),
    ] = []

    @property
    def words(self) -> dict[str, Any]:
        """What is asked for, by name, without the papers."""
        return {name: word for name, word in super().words.items() if name != "paper"}


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
    spread: Annotated[float, Field(description="Factor by which papers differ.")]


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


class RankIn(BaseModel):
    """A design space to rank, and how."""

    model_config = ConfigDict(
        **_STRICT,
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
    top: Annotated[int, Field(ge=1, le=limits.LINES, description="Lines to keep."), _COUNT] = 50
    order_by: Annotated[
        Order,
        Field(description="By what is known at least, by values, or by what may turn out best."),
    ] = "lower-bound"
    shells: Shells = []
    batch: Annotated[
        int,
        Field(ge=0, le=limits.CHOSEN, description="Also select so many dissimilar candidates."),
        _COUNT,
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
    pl_peak_nm: float | None
    plqy_percent: float | None
    plqy_pooled: Annotated[float | None, Field(description="Model and papers together, in %.")]
    plqy_at_least: Annotated[float | None, Field(description="Lower bound, 90 %, in %.")]
    in_domain: bool
    domain_reasons: Annotated[list[str], Field(description="Why not; empty in domain.")]
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
    why: Annotated[str, Field(description="What it would settle.")]


class ChosenOut(BaseModel):
    """A member of a diverse batch."""

    core: str
    shell: str


class RankOut(BaseModel):
    """A ranking; with `Accept: text/html` its report is answered instead."""

    model: ModelName
    space: str
    ranked: Annotated[int, Field(description="Combinations without a paper that were ranked.")]
    removed: Annotated[dict[str, int], Field(description="Left out, by constraint.")]
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


class TargetOut(BaseModel):
    """A validated target."""

    name: Annotated[str, Field(description="Key in `skill`, and in the keys of `figures`.")]
    title: str
    kind: Annotated[
        Literal["point", "stability"],
        Field(description="One value per sample, or one per stressor."),
    ]
    unit: Annotated[str | None, Field(description="Unit of values; null if not answered.")]
    error_unit: str
    column: Annotated[
        str | None,
        Field(description="Column of the answer, with _S for stressor S; null if not answered."),
    ]
    effect: Annotated[str | None, Field(description="Column of the shell's effect, or null.")]
    no_skill: Annotated[str, Field(description="What it means if the target has no skill.")]


class ModelOut(BaseModel):
    """The model: dataset, settings, figures and skill."""

    model: ModelName
    dataset: dict[str, Any]
    settings: dict[str, Any]
    figures: dict[str, float | None]
    skill: dict[str, dict[str, Any]]
    variants: dict[str, str]
    card: dict[str, list[str]]
    targets: list[TargetOut]
    subsets: Annotated[
        dict[str, str], Field(description="Subsets in the keys of `figures`, by their names.")
    ]
    limits: dict[str, int]


class ShellOut(BaseModel):
    """A known shell."""

    name: str
    aliases: list[str]
    material_class: str
    papers: Annotated[int, Field(description="Papers of the training data that have it.")]


class VocabularyOut(BaseModel):
    """The words a request may hold."""

    model: ModelName
    cores: list[str]
    shells: list[ShellOut]
    stressors: list[str]
    words: dict[str, list[str]]
    numbers: dict[str, tuple[float, float]]
    presets: list[str]


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """The served model, and why a newer one cannot be served."""

    status: Literal["ready"]
    model: ModelName
    fault: Annotated[str, Field(description="Why a newer champion cannot be served, or empty.")]
