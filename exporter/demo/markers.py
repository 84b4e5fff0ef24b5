"""What marks secret and personal values in the demo account's answers, so that a leak can be looked for.

Every token, link, program text, log text, payload, e-mail address and person's name that the server sends, and
the secret that it takes, contains one of `MARKERS`. Nothing else does.
"""

SECRET = "SECRET-"  # noqa: S105  a mark, not a secret
PERSONAL = "PERSONAL-"
CUSTOMER_MAIL = "@customer.test"
TEAM_MAIL = "@team.test"
MARKERS: tuple[str, ...] = (SECRET, PERSONAL, CUSTOMER_MAIL, TEAM_MAIL)
