"""Reading a design space: from a file, a preset, or a mapping with the same keys."""

from __future__ import annotations

from pathlib import Path

from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import Node, parse_json, parse_yaml
from perovshell.errors import DesignSpaceError, DocumentError
from perovshell.serve.space.declaration import space_reader
from perovshell.serve.space.preset import DEFAULT_PRESET, PRESETS, presets
from perovshell.serve.space.space import DesignSpace


def read_space(source: object, reader: FormulaReader) -> DesignSpace:
    """Read a design space.

    Args:
        source: A space; a mapping with the keys of the YAML file; the path of a YAML or JSON file;
            the name of a preset; the default preset where it is None.
        reader: Reads cores and shells.

    Returns:
        The space.

    Raises:
        DesignSpaceError: The file is unreadable, keys or values are not allowed (the message has a
            line for each), or the space is empty.

    Example:
        >>> data = {"cores": ["CsPbBr3"], "shells": ["SiO2"], "pl_window_nm": [510, 540]}
        >>> read_space(data, FormulaReader.bundled()).sizes
        '1 combinations (1 core x 1 shell)'
    """
    if isinstance(source, DesignSpace):
        return source
    try:
        return space_reader(reader).read(_document(source))
    except DocumentError as error:
        raise DesignSpaceError(str(error)) from error


def _document(source: object) -> Node:
    if source is not None and not isinstance(source, str | Path):
        return Node(source, "design space")
    name = DEFAULT_PRESET if source is None else str(source)
    preset = PRESETS / f"{name}.yaml"
    try:
        text = (preset if preset.is_file() else Path(name)).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"design space {name}: cannot be read ({error}); presets: {', '.join(presets())}"
        raise DesignSpaceError(msg) from error
    parse = parse_json if Path(name).suffix.casefold() == ".json" else parse_yaml
    return parse(text, f"design space {name}")
