"""YAML as libyaml reads and writes it, many times as fast: where PyYAML was built with it."""

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
