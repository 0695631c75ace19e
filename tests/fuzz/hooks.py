"""What schemathesis looks at besides the API's description: that one tenant is told nothing of the other.

Set SCHEMATHESIS_HOOKS to this file. CANARIES names a file of texts that only the other tenant's data hold, one a line;
FOREIGN_IDS a file of ids and keys of the other tenant's things, which are asked for in place of made-up ones.
"""

import json
import os
from pathlib import Path

import schemathesis


def _lines(variable):
    path = os.environ.get(variable)
    return [line for line in Path(path).read_text().splitlines() if line] if path else []


CANARIES = _lines("CANARIES")
FOREIGN_IDS = _lines("FOREIGN_IDS")
# Members of a path that name no thing, and must stay what they are.
WORDS = {"kind"}


@schemathesis.check
def nothing_of_the_other_tenant(ctx, response, case):
    """Neither the body nor a header of an answer holds a text of the other tenant's."""
    body = response.content.decode("utf-8", "replace")
    told = body + "".join(f"{name}: {value}" for name, value in response.headers.items())
    sent = repr((case.path_parameters, case.query, case.headers, case.body))
    for canary in CANARIES:
        # What the caller sent may be repeated to them.
        if canary in told and canary not in sent:
            raise AssertionError(f"tells `{canary}` of the other tenant")


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def ndjson(ctx, value):
    """One line of JSON for each item."""
    items = value if isinstance(value, list) else [value]
    return b"".join(_line(item) + b"\n" for item in items)


def _line(item):
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    return item if isinstance(item, bytes) else json.dumps(item, default=str).encode()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every third thing that is asked for is the other tenant's."""
    if not path_parameters or not FOREIGN_IDS:
        return path_parameters
    mapped = {}
    for name, value in path_parameters.items():
        # By the value alone, so that a failure can be repeated.
        draw = sum(str(value).encode())
        foreign = name not in WORDS and draw % 3 == 0
        mapped[name] = FOREIGN_IDS[draw % len(FOREIGN_IDS)] if foreign else value
    return mapped
