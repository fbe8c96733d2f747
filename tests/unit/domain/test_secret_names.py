"""What looks like a secret in a configuration, and what only looks a little like one."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.secret_names import find_secrets, is_secret

SECRET = [
    "X-Auth-Token", "x_auth_token", "xAuthToken", "Cookie", "Set-Cookie", "PRIVATE-TOKEN", "X-Api-Key", "x-apikey", "APIKEY",
    "Proxy-Authorization", "X-Amz-Security-Token", "token", "AccessToken", "accesstoken", "refresh_token", "GITHUB_TOKEN",
    "clientSecret", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "passwd", "ssh_private_key", "secretKey", "credentials",
    "csrf-token", "id_token", "SetCookie", "X-Vault-Token", "bearerToken", "passphrase",
    "Ocp-Apim-Subscription-Key", "subscriptionkey", "x-functions-key", "OPENAI_KEY", "OpenAIKey", "anthropic-key", "pwd",
    "DB_PWD", "api_key_2", "X-API-Key-1", "token1", "clientSecretV2", "jwt", "X-Jwt", "github_pat", "GITLAB_PAT_2", "bot_token",
]  # fmt: skip
HARMLESS = [
    "max_tokens", "max_token", "token_count", "idempotency-key", "Idempotency-Key", "tokens", "token_url", "api_key_env",
    "password_env", "next_page_token", "stop_token", "eosToken", "key", "primary_key", "cookie_policy", "secretary",
    "authorization_url", "tokenizer", "signature", "keyword", "public_key", "", "--",
    "cls_token", "image_token", "PaginationToken", "resume_token", "starting_token", "resumptionToken", "paging_token",
    "next_token_2", "PRIMARY_KEY", "cache_key_1", "key2", "pat", "sort_key", "sha256", "7", "v2",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_sounds_like_a_secret_is_none(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/x?access_token=abc",
        "https://api.example/x?a=1&api_key=abc&b={input.b}",
        "https://api.example/x?api_key=abc&b={input.b + 1}",
        "https://a.example/x?api_key=%7Babc%7D",
        "https://a.example/blob?sv=1&sig=abc%3D",
        "https://a.example/x?X-Amz-Signature=abc",
        "https://a.example/x?a;token=abc",
        "https://a.example/cb#access_token=abc",
        "https://a.example/x?access%5Ftoken=abc",
        "https://user:pass@host.example/x",
        "https://ghp_abc@github.com/x.git",
        "postgresql://me:pw@db/x",
        " https://a.example/?token=abc ",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    ((pointer, said),) = find_secrets({"deep": [{"url": url}]})
    assert pointer == "/deep/0/url"
    assert '{"env": "NAME"' in said
    assert "abc" not in said


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/x?max_tokens=5&token_count=2&page_token=3",
        "https://a.example/x?token={input.token}",
        "https://{input.user}:{input.pw}@a.example/x",
        "https://a.example/x?token=",
        "https://a.example/@user:name?a=b@c",
        "ssh://git@a.example/x",
        "Write of https://a.example/?token=abc in two words.",
        "token=abc",
    ],
)
def test_other_texts_and_urls_are_let_be(text: str) -> None:
    assert list(find_secrets({"url": text})) == []


def test_a_long_text_is_looked_at_once() -> None:
    assert list(find_secrets([f"http://{'a' * 900_000} b", "a" * 900_000, {"A" * 900_000: "x"}])) == []
    assert not is_secret("1" * 900_000 + "a" + "_1" * 9)


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"headers": {"X-Auth-Token": "abc"}}, "/headers/X-Auth-Token"),
        ({"query": {"sig": "abc"}}, "/query/sig"),
        ({"cookies": ["a=b"]}, "/cookies"),
        ({"token": "abc{{}}"}, "/token"),
    ],
)
def test_text_under_a_secret_name_is_found_at_its_place(config: dict[str, Any], pointer: str) -> None:
    assert [found for found, _ in find_secrets(config)] == [pointer]


def test_what_names_a_secret_or_is_no_text_is_none() -> None:
    config = {
        "headers": {"Authorization": {"env": "A", "prefix": "Bearer "}},
        "token": "",
        "api_key": None,
        "password": 5,
    }
    assert list(find_secrets(config)) == []
    assert list(find_secrets({"signature": "Yours, B", "headers": {"Authorization": "Bearer {input.token}"}})) == []
