"""Settings that do not go together are refused with a word about what to do, before anything is installed."""

from typing import Any

import pytest

from .rendering import Helm

OWN = {"existingSecret": "flatfile"}


def account(auth: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"accounts": [{"name": "acme", "auth": auth, "config": config}]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no account: set accounts"),
        ({"demo": True} | account(OWN), "exclude one another"),
        ({"demo": True, "existingConfig": {"secret": "x"}}, "exclude one another"),
        ({"demo": True, "config": {"events": {"window": "5m"}}}, "config has an effect beside accounts only"),
        ({"accounts": [{"name": "acme", "auth": OWN}] * 2}, 'the name "acme" is there twice'),
        (account({}), 'the auth of "acme" needs existingSecret, or clientId with clientSecret, or accessToken'),
        (account({"clientId": "1"}), "needs existingSecret, or clientId with clientSecret"),
        (account({"clientSecret": "1"}), "needs existingSecret, or clientId with clientSecret"),
        (account({"clientSecretKey": "k"}), "names a key, but no existingSecret"),
        (account({"accessToken": "t", "clientId": "1"}), "has two kinds of credentials"),
        (account(OWN | {"accessToken": "t"}), "has an existingSecret and a credential beside it"),
        (account(OWN | {"accessTokenKey": "t", "clientId": "1"}), "keep one kind of credentials"),
        (
            account(OWN, requests={"proxy_url": "http://me:pass@proxy:1"}),
            'requests.proxy_url in the config of account "acme"',
        ),
        (account(OWN) | {"config": {"requests": {"proxy_url": "http://me@proxy:1"}}}, "requests.proxy_url in config"),
        ({"demo": True, "webConfig": {"tlsSecret": "x"}}, "webConfig.tlsSecret needs webConfig.existingSecret"),
        ({"demo": True, "webConfig": {"scheme": "https"}}, "https needs webConfig.existingSecret"),
        (
            {"demo": True, "serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
            "everything would be scraped twice",
        ),
        (
            {"existingConfig": {"secret": "x"}, "serviceMonitor": {"perAccount": True}},
            "perAccount needs the names of the accounts",
        ),
        (account(OWN) | {"storage": {"enabled": True}, "replicaCount": 2}, "storage needs replicaCount 1"),
        # the schema, as Helm reads it
        ({"demo": True, "serviceMonitr": {}}, "serviceMonitr"),
        (account(OWN, collectors={"guest": {}}), "guest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(helm: Helm, values: dict[str, Any], message: str) -> None:
    refusal = helm.refusal(values)
    assert message in refusal
    assert "pass" not in refusal.replace("password", "")  # what is in a proxy's URL is not shown
