"""Read YAML and keep the line of every part of it, so that what is wrong can be named with its place."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""LibYAML where it was compiled in: ten times faster, and there are dozens of files."""

Lines = dict[tuple[Hashable, ...], int]
"""Line of every key and list entry, by the path of keys and positions that leads to it."""


def read_yaml(text: str, *, first_line: int, refuse: Callable[[str, int], Exception]) -> tuple[object, Lines]:
    """Return the document and the lines of its parts.

    Args:
        text: The YAML.
        first_line: Line of its file on which the text begins.
        refuse: Makes the error for a problem on a line.

    Raises:
        Exception: What ``refuse`` returned: the YAML cannot be read, or gives a key twice.
    """
    lines: Lines = {}
    loader = _Loader(text)
    try:
        tree = loader.get_single_node()
        if tree is None:
            return None, lines
        _index(tree, (), first_line, lines, refuse)
        return loader.construct_document(tree), lines
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        raise refuse(f"the YAML cannot be read: {error.problem}", line) from error
    finally:
        loader.dispose()


def _index(
    node: yaml.Node, path: tuple[Hashable, ...], first_line: int, lines: Lines, refuse: Callable[[str, int], Exception]
) -> None:
    """Note the line of every part; refuse a key given twice, of which YAML would keep the last without a word."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            line = first_line + key.start_mark.line
            if here in lines:
                raise refuse(f"`{key.value}` is given twice", line)
            lines[here] = line
            _index(value, here, first_line, lines, refuse)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = first_line + value.start_mark.line
            _index(value, (*path, index), first_line, lines, refuse)
