"""Validates manifests against the published schemas of some versions of Kubernetes, strictly: members that don't exist are refused.

Reads {"file": text} from standard input, and writes a list with an object for each resource: its file, what is wrong, and the resource itself.
"""

import json
import sys

import kubernetes_validate
import yaml

VERSIONS = sys.argv[1:]
found = []

for file, text in json.load(sys.stdin).items():
    for resource in yaml.safe_load_all(text):
        wrong = []
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                wrong.append(f"{version}: {list(error.path)}: {error.message}")
            except kubernetes_validate.SchemaNotFoundError as error:
                wrong.append(f"{version}: {error.message}")
        found.append({"file": file, "wrong": wrong, "resource": resource})
print(json.dumps(found))
