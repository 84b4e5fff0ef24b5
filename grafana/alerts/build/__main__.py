"""`python -m grafana.alerts.build`: write the rule files and the template of the mixin and the chart."""

from . import written

for path, text in written().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
