"""Label names that several collectors share, in the order in which their values are given."""

ACCOUNT = ("account",)
ENVIRONMENT = ("account", "environment_id", "environment_name")
SPACE = (*ENVIRONMENT, "space_id")
DAY = 86400.0
WINDOWS = (("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY))
