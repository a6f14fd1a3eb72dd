"""The schemas that Kubernetes, the Prometheus operator and Compose publish, and strict checks against them.

They come from the Go module proxy at fixed versions, and stay in $ROADSTEAD_CACHE/schemas.
"""
import json
import os
import shutil
import subprocess
import tempfile

import yaml
from harness import Skip
from images import CACHE

MODULES = {
    "compose-spec.json": ("github.com/compose-spec/compose-go/v2@v2.9.0", "schema/compose-spec.json"),
    "swagger.json": ("k8s.io/kubernetes@v1.34.1", "api/openapi-spec/swagger.json"),
    "servicemonitor.yaml": ("github.com/prometheus-operator/prometheus-operator@v0.85.0",
                            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"),
}
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def fetch(name):
    module, path = MODULES[name]
    target = os.path.join(CACHE, "schemas", module.rpartition("@")[2], name)
    if os.path.exists(target):
        return target
    if shutil.which("go") is None:
        raise Skip(f"there is no Go here to fetch {module}")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    print(f"fetching {module}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "go.mod"), "w", encoding="ascii") as file:
            file.write("module schemas\n")
        done = subprocess.run(["go", "mod", "download", "-json", module], cwd=folder, capture_output=True, text=True,
                              timeout=600, check=False)
        if done.returncode != 0:
            raise Skip(f"{module} cannot be fetched: {done.stdout[-300:]}{done.stderr[-300:]}")
        partial = target + ".partial"
        shutil.copyfile(os.path.join(json.loads(done.stdout)["Dir"], path), partial)
        os.replace(partial, target)
    return target


def compose_problems(file):
    """What Compose would refuse in a file whose variables have their values."""
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed (./x setup test)") from None
    with open(fetch("compose-spec.json"), encoding="utf-8") as text:
        schema = json.load(text)
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(file)]


class Kubernetes:
    """check(object) lists what an API server would refuse or silently drop."""

    def __init__(self):
        with open(fetch("swagger.json"), encoding="utf-8") as file:
            self.definitions = json.load(file)["definitions"]
        self.kinds = {}
        for definition in self.definitions.values():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                version = "/".join(part for part in (kind["group"], kind["version"]) if part)
                self.kinds[version, kind["kind"]] = definition
        with open(fetch("servicemonitor.yaml"), encoding="utf-8") as file:
            custom = yaml.safe_load(file)["spec"]
        for version in custom["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
            self.kinds[custom["group"] + "/" + version["name"], custom["names"]["kind"]] = schema

    def check(self, value):
        key = value.get("apiVersion"), value.get("kind")
        if key not in self.kinds:
            return [f"there is no kind {key}"]
        return list(self._problems(value, self.kinds[key], key[1]))

    def _problems(self, value, schema, where):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            # A number is as good as its text there.
            if name == QUANTITY and isinstance(value, (int, float)) and not isinstance(value, bool):
                return
            schema = self.definitions[name]
        if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                yield f"{where}: {value!r} is neither a number nor a string"
            return
        kind = schema.get("type")
        types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        if kind and (not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean")):
            yield f"{where}: {value!r} is no {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if isinstance(value, dict):
            yield from self._of_object(value, schema, where)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._problems(item, schema.get("items", {}), f"{where}[{index}]")

    def _of_object(self, value, schema, where):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: {name} is missing"
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        for name, item in value.items():
            if not isinstance(name, str):
                yield f"{where}: the key {name!r} is no string"
            elif properties and name in properties:
                yield from self._problems(item, properties[name], f"{where}.{name}")
            elif isinstance(others, dict):
                yield from self._problems(item, others, f"{where}.{name}")
            elif properties and not others and not schema.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{where}: {name} is unknown"
