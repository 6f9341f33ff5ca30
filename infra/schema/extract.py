"""Reads what the AWS provider's resources take from the CDK for Terraform bindings, and writes it down.

    npm pack @cdktf/provider-aws@21.22.1
    python infra/schema/extract.py cdktf-provider-aws-21.22.1.tgz

The bindings are generated from the schema that the provider publishes, and come from npm, where the
provider itself does not. Kept are the resources and data sources that `infra/terraform` uses, and the
names of all others. What is kept is under the bindings' licence, the MPL 2.0, beside it.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TERRAFORM = HERE.parent / "terraform"
SCHEMA = HERE / "aws.json"

_USED = re.compile(r'^\s*(resource|data)\s+"(aws_[a-z0-9_]+)"', re.MULTILINE)
_SOURCE_MAP = re.compile(r"//# sourceMappingURL=data:application/json;base64,(\S+)")
_CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(
    r"// (?P<name>\w+) - computed: (?P<computed>\w+), optional: (?P<optional>\w+), required: (?P<required>\w+)\n"
    r"(?P<lines>.*?)(?=\n\n|\n  // \w+ - computed|\Z)",
    re.DOTALL,
)
_BLOCK_NOTE = re.compile(r"\* (\w+) block\n(?:.*?\n)*?\s*readonly (\w+)\??:")
_TYPE_NAME = re.compile(r'static readonly tfResourceType = "(\w+)"')
_NESTED = re.compile(r"new (\w+)\(this, \"\w+\"(?:, (true|false))?\)")
_GETTERS = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "cdktf.Fn.tolist(this.getListAttribute": ["set", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "getAnyMapAttribute": ["map", "dynamic"],
}


@dataclass(frozen=True, slots=True)
class Binding:
    """One generated file: its classes, and which members of its interfaces are blocks."""

    classes: dict[str, tuple[str, str]]
    interfaces: dict[str, str]
    blocks: set[tuple[str, str]]

    @classmethod
    def read(cls, script: str) -> Binding:
        """Read the TypeScript that a generated script carries in its source map."""
        found = _SOURCE_MAP.search(script)
        if found is None:
            raise SystemExit("The bindings carry no sources: this is another version of them.")
        source: str = json.loads(base64.b64decode(found[1]))["sourcesContent"][0]
        classes = {name: (kind, body) for name, kind, body in _CLASS.findall(source)}
        interfaces = dict(_INTERFACE.findall(source))
        blocks = {
            (interface.removesuffix("Config"), note)
            for interface, body in interfaces.items()
            for note, _ in _BLOCK_NOTE.findall(body)
        }
        return cls(classes=classes, interfaces=interfaces, blocks=blocks)

    def block(self, owner: str, body: str) -> dict[str, Any]:
        """Return the attributes and nested blocks that a class's members describe."""
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for member in _MEMBER.finditer(body):
            nested = _NESTED.search(member["lines"])
            name = member["name"]
            if nested is None and (owner, name) in self.blocks:
                # The provider's own blocks: nothing refers to them, so they are interfaces without a class.
                struct = re.search(r"private _\w+\?: (\w+)", member["lines"])
                blocks[name] = {"nesting": "list", **self._interface(struct[1] if struct else "")}
            elif nested is None:
                attributes[name] = {"type": _simple_type(member["lines"]), **_use(member)}
            else:
                kind, struct = self._nesting(nested[1], is_set=nested[2] == "true")
                inner = self.classes.get(f"{struct}OutputReference")
                content = self.block(struct, inner[1]) if inner else {"attributes": {}, "blocks": {}}
                if (owner, name) in self.blocks:
                    required = {"required": True} if member["required"] == "true" else {}
                    blocks[name] = {"nesting": kind, **required, **content}
                else:
                    shape = _object_type(kind, content) if inner else _map_type(nested[1])
                    attributes[name] = {"type": shape, **_use(member)}
        return {"attributes": attributes, "blocks": blocks}

    def _interface(self, name: str) -> dict[str, Any]:
        """Return what an interface's own lines say: names and simple types, all optional."""
        found = re.findall(r"#(\w+) AwsProvider#\w+\}\n\s*\*/\n\s*readonly (\w+)\??: (.+?);", self.interfaces[name])
        members = {name: {"type": _declared_type(kind), "optional": True} for name, _, kind in found}
        return {"attributes": members, "blocks": {}}

    def _nesting(self, name: str, *, is_set: bool) -> tuple[str, str]:
        """Return how a nested class is repeated, and the struct that it holds."""
        kind, body = self.classes.get(name, ("", ""))
        if kind in {"ComplexList", "ComplexMap"}:
            return ("map" if kind == "ComplexMap" else "set" if is_set else "list"), name.removesuffix(
                "List" if kind == "ComplexList" else "Map"
            )
        once = "one" if "terraformAttribute, false, 0)" in body else "single"
        return once, name.removesuffix("OutputReference")


def main(arguments: list[str]) -> int:
    """Write what the archive says of what is used."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    used = sorted({(kind, name) for path in TERRAFORM.rglob("*.tf") for kind, name in _USED.findall(path.read_text())})
    schema: dict[str, Any] = {"bindings": "", "provider": "", "resource": {}, "data": {}, "other": {}}
    with tarfile.open(arguments[0]) as archive:
        package = json.load(_member(archive, "package/package.json"))
        schema["bindings"] = f"{package['name']}@{package['version']}"
        schema["provider"] = package["cdktf"]["provider"]["version"]
        members = {each.name for each in archive.getmembers()}
        for kind, name in used:
            folder = ("data-" if kind == "data" else "") + name.replace("_", "-")
            candidates = [f"package/lib/{folder.replace('aws-', '', 1) if kind == 'resource' else folder}/index.js"]
            path = next((each for each in candidates if each in members), None)
            if path is None:
                sys.stderr.write(f"The provider has no {kind} {name}.\n")
                return 1
            schema[kind][name] = _described(Binding.read(_member(archive, path).read().decode()), name)
        schema["provider_block"] = _described(
            Binding.read(_member(archive, "package/lib/provider/index.js").read().decode()), "aws"
        )
        schema["other"] = _others(members, schema)
    SCHEMA.write_text(json.dumps(schema, indent=0, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    return 0


def _described(binding: Binding, name: str) -> dict[str, Any]:
    for class_name, (_, body) in binding.classes.items():
        found = _TYPE_NAME.search(body)
        if found and found[1] == name:
            content = binding.block(class_name, body)
            # The bindings take these two for themselves, so their comments do not list them as they are.
            content["attributes"].setdefault("id", {"type": "string", "computed": True})
            return content
    raise SystemExit(f"The bindings' file for {name} does not describe it.")


def _others(members: set[str], schema: dict[str, Any]) -> list[str]:
    """Return the names that exist and are not described, so that a test can tell them from mistakes."""
    names = set()
    for each in members:
        found = re.fullmatch(r"package/lib/([a-z0-9-]+)/index\.js", each)
        if found:
            name = found[1].replace("-", "_")
            names.add(f"data.{name.removeprefix('data_')}" if name.startswith("data_aws_") else f"aws_{name}")
    return sorted(names - set(schema["resource"]) - {f"data.{name}" for name in schema["data"]})


def _use(member: re.Match[str]) -> dict[str, bool]:
    return {use: True for use in ("computed", "optional", "required") if member[use] == "true"}


def _simple_type(lines: str) -> Any:
    for getter, kind in reversed(_GETTERS.items()):
        if f"{getter}(" in lines:
            return kind
    found = re.search(r"private _\w+\?: (.+?); *$", lines, re.MULTILINE)
    return _declared_type(found[1] if found else "")


def _declared_type(declared: str) -> Any:
    if declared.startswith(("string[]", "number[]")):
        return ["list", declared.partition("[")[0]]
    if declared.startswith("{ [key: string]: "):
        return ["map", declared.removeprefix("{ [key: string]: ").partition(" ")[0]]
    return {"string": "string", "number": "number", "boolean": "bool"}.get(declared.partition(" ")[0], "dynamic")


def _map_type(name: str) -> Any:
    kinds = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool", "StringMapList": ["map", "string"]}
    found = kinds.get(name.removeprefix("cdktf."))
    return ["map", found] if found else "dynamic"


def _object_type(kind: str, content: dict[str, Any]) -> Any:
    members = {name: each["type"] for name, each in _flat(content)}
    shape = ["object", members]
    return shape if kind == "single" else [{"one": "list"}.get(kind, kind), shape]


def _flat(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from content["attributes"].items()
    for name, each in content["blocks"].items():
        yield name, {"type": _object_type(each["nesting"], each)}


def _member(archive: tarfile.TarFile, name: str) -> Any:
    found = archive.extractfile(name)
    if found is None:
        raise SystemExit(f"The archive has no {name}.")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
