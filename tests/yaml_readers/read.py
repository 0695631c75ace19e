# Texts of YAML in (a JSON list), what PyYAML reads in them out (a JSON list); what JSON can't say is told by a text.
import json
import sys

import yaml


def read(text):
    try:
        return yaml.safe_load(text)
    except Exception as error:
        return f"not read: {error}"


texts = json.loads(sys.stdin.buffer.read().decode("utf-8"))
told = json.dumps([read(text) for text in texts], default=lambda value: f"not JSON: {value!r}")
sys.stdout.write(told)
