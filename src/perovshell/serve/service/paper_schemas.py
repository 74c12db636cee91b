"""What requests and responses of papers hold."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field

from perovshell.serve.service import limits
from perovshell.serve.service.schemas import STRICT, Pointer, QuestionOut


class DraftIn(BaseModel):
    """The text of an abstract or a paper; its first line is the title."""

    model_config = STRICT

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


class CheckIn(BaseModel):
    """A paper to check."""

    model_config = STRICT

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
