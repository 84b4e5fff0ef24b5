"""The dashboards as code: one module a dashboard, written to `grafana/dashboards` by `python -m grafana.build`."""

import warnings

with warnings.catch_warnings():
    # The SDK would rather have the newer schema (V2), which Grafana before 13 does not load; it says so at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    import grafana_foundation_sdk.builders.bargauge
    import grafana_foundation_sdk.builders.dashboard  # noqa: F401
