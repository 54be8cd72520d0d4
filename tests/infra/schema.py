"""`python -m tests.infra.schema WHEEL`: writes the part of Google's schema that the modules use, for machines without
Google's provider.

WHEEL is the Python package `cdktn-provider-google`, which carries the provider's schema as jsii types. It is far too
large to depend on. The result has the form of `terraform providers schema -json`.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2] / "infra" / "terraform"
SCHEMA = Path(__file__).with_name("google_schema.json")
TYPES = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
ANCHOR = re.compile(r"#([a-z0-9_]+) ")


def used_types() -> set[str]:
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "modules" / "gcp").rglob("*.tf"))
    return set(re.findall(r'^resource "(google_\w+)"', text, re.MULTILINE))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def named(prop: dict[str, Any]) -> str:
    """Terraform's name: the documentation's, since camel case does not tell where digits belong."""
    found = ANCHOR.search(prop.get("docs", {}).get("remarks", ""))
    return found[1] if found else snake(prop["name"])


class Reader:
    def __init__(self, types: dict[str, Any]) -> None:
        self._types = types

    def resource(self, name: str) -> dict[str, Any]:
        pascal = "".join(part.capitalize() for part in name.removeprefix("google_").split("_"))
        camel = pascal[0].lower() + pascal[1:]
        base = next(key for key in self._types if key.endswith(f".{camel}.{pascal}"))
        block = self._block(f"{base}Config")
        for prop in self._types[base]["properties"]:
            known = named(prop) in block["attributes"] or named(prop) in block["block_types"]
            if known and named(prop) in block["attributes"]:
                attribute = block["attributes"][named(prop)]
                # What can be set and is also told by the provider where it is not.
                attribute |= {"computed": True} if attribute.get("optional") else {}
            elif not known and not prop.get("const") and not prop["name"].endswith("Input"):
                kind = self._type(prop["type"])
                block["attributes"][named(prop)] = {"type": kind, "computed": True}
        return {"version": 0, "block": block}

    def _block(self, fqn: str) -> dict[str, Any]:
        block: dict[str, Any] = {"attributes": {}, "block_types": {}}
        for prop in self._types[fqn]["properties"]:
            needed = not prop.get("optional")
            nested, many = self._nested(prop["type"])
            if nested:
                block["block_types"][named(prop)] = {
                    "nesting_mode": "list" if named(prop) != "timeouts" else "single",
                    "block": self._block(nested),
                    **({"min_items": 1} if needed else {}),
                    **({} if many or named(prop) == "timeouts" else {"max_items": 1}),
                }
            else:
                attribute = {"type": self._type(prop["type"]), "required" if needed else "optional": True}
                attribute |= {"write_only": True} if named(prop).endswith("_wo") else {}
                block["attributes"][named(prop)] = attribute
        return block

    def _nested(self, kind: dict[str, Any]) -> tuple[str, bool]:
        """The interface that a block is made of, and whether there may be several."""
        for each in kind.get("union", {}).get("types", [kind]):
            if "collection" in each and each["collection"]["kind"] == "array":
                inner, _ = self._nested(each["collection"]["elementtype"])
                if inner:
                    return inner, True
            elif self._types.get(each.get("fqn"), {}).get("kind") == "interface":
                return each["fqn"], False
        return "", False

    def _type(self, kind: dict[str, Any]) -> Any:
        for each in kind.get("union", {}).get("types", [kind]):
            if "primitive" in each:
                return TYPES[each["primitive"]]
            if "collection" in each:
                name = "map" if each["collection"]["kind"] == "map" else "list"
                return [name, self._type(each["collection"]["elementtype"])]
            fqn = each.get("fqn", "")
            if fqn.startswith("cdktn."):
                found = {"cdktn.StringMap": ["map", "string"], "cdktn.IResolvable": None}.get(fqn, "string")
                if found:
                    return found
            elif fqn.endswith("List"):
                inner = self._types[f"{fqn.removesuffix('List')}OutputReference"]
                members = {
                    named(prop): self._type(prop["type"])
                    for prop in inner["properties"]
                    if not prop["name"].endswith("Input") and prop["name"] not in ("internalValue", "fqn")
                }
                return ["list", ["object", members]]
        return "string"


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as package:
        bundle = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(bundle))) as files:
            assembly = files.extractfile("package/.jsii")
            assert assembly is not None
            reader = Reader(json.load(assembly)["types"])
    schemas = {name: reader.resource(name) for name in sorted(used_types())}
    SCHEMA.write_text(json.dumps({"resource_schemas": schemas}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
