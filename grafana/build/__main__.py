"""`python -m grafana.build`: write every generated dashboard."""

from .boards import files

for path, text in files():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
