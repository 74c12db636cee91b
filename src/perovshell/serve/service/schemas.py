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
from perovshell.serve.service import limits
from perovshell.targets.declared import MIN_GAIN
from perovshell.targets.target import NOT_REACHED

if TYPE_CHECKING:
    Stressor: TypeAlias = str
    Sign: TypeAlias = str
else:
    Stressor = Literal[STRESSORS]
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
COUNT = BeforeValidator(_whole)
Number = Annotated[float, Field(allow_inf_nan=False)]
Cell = Annotated[
    Any,
    # One validator, not a union: that would report a fault for each of its types.
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
"""The model decides whether it can be read, row by row."""
STRICT = ConfigDict(extra="forbid", strict=True)


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
    Row.__pydantic_config__ = STRICT


class ThresholdsIn(BaseModel):
    """Thresholds whose probability is asked; each adds columns to the answer."""

    model_config = STRICT

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

    model_config = STRICT

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
        **STRICT,
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


Pointer: TypeAlias = Annotated[str, Field(description="A JSON pointer in the paper.")]


class QuestionOut(BaseModel):
    """A value that a person should look at."""

    pointer: Pointer
    sample_id: str
    column: str
    value: Annotated[str, Field(description="As it was read, with its unit.")]
    expected: str
    reason: str
    is_outlier: Annotated[bool, Field(description="Whether it needs an explicit acceptance.")]


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
    pl: Annotated[str, Field(description="The PL peak as printed, with sign and quality.")] = ""
    plqy: Annotated[str, Field(description="The PLQY as printed, with sign and quality.")] = ""
    stability: Annotated[str, Field(description="What its stability tests showed.")] = ""
    medium: Annotated[str, Field(description="In what its emission was measured.")] = "unknown"
    morphology: Annotated[str, Field(description="Its shape.")] = "nanocrystal"
    core_size_nm: Annotated[float | None, Field(description="Its core size in nm.")] = None
    core_size: Annotated[str, Field(description="The core size as printed.")] = ""


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
    bare_pl: Annotated[str, Field(description="The same PL as printed; empty if unknown.")]
    bare_plqy: Annotated[str, Field(description="The same PLQY as printed; empty if unknown.")]


class ReasonOut(BaseModel):
    """Contributions to one target of a prediction."""

    target: str
    unit: str
    start: float
    moved: dict[str, float]
    sentence: str


class KnownAtLeastOut(BaseModel):
    """What is known at least of a half-life (h) or a gain, pooled over papers and like shells."""

    target: Annotated[str, Field(description="Name of the target in `/v1/model`.")]
    stressor: str
    at_least: Annotated[float, Field(description="Lower bound with a probability of 90 %.")]
    evidence: Annotated[str, Field(description="The nearest tests in it.")]


class DetailsOut(BaseModel):
    """What is behind an answer."""

    nearest: Annotated[list[ComparedSampleOut], Field(description="One sample per paper.")]
    measured: Annotated[list[MeasuredSampleOut], Field(description="Of the same core and shell.")]
    conditions: Annotated[
        dict[str, dict[str, float]], Field(description="Assumed for each stressor.")
    ]
    domain: Annotated[
        dict[str, list[str]],
        Field(description="Why targets are out of domain, by column of the verdict."),
    ]
    reasons: Annotated[list[ReasonOut], Field(description="The feature contributions.")]
    known_at_least: Annotated[
        list[KnownAtLeastOut],
        Field(description="Under the stressors asked for; empty for a bare core."),
    ] = []


class AnswerOut(BaseModel):
    """The answer to one row: numbers with intervals, each NAME with NAME_lower and NAME_upper.

    For each stressor S there are `half_life_h_S` and `stability_gain_S`, each with NAME_bound: `>`
    where its median was not reached and the value is a lower bound, `<` or `~` where that is so of
    the bare core, else empty, and the domain verdict `in_domain_stability_S`. An unknown number is
    null; so is an end without a limit, which also has `NAME_open: true`.
    """

    __pydantic_extra__: dict[str, float | bool | Sign | None] = Field(init=False)
    model_config = ConfigDict(extra="allow")

    pl_peak_nm: float | None
    plqy_percent: float | None
    pl_shift_nm: float | None
    plqy_change: float | None
    in_domain: Annotated[bool, Field(description="Whether PL and PLQY are in domain.")]
    in_domain_pl: bool
    in_domain_plqy: bool
    domain_reasons: Annotated[
        list[str], Field(description="Why targets are out of domain; empty where all are in.")
    ]
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
    domain_column: Annotated[
        str | None,
        Field(description="Column of its domain verdict, with _S as `column`; or null."),
    ]
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
