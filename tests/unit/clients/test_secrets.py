from __future__ import annotations

from pathlib import Path

import pytest

from events.clients.secrets import LocalSecrets, Ref, plain, variable
from events.errors import Permanent

REF = Ref("github", "token")


async def test_manifests_then_folder_then_environment(tmp_path: Path):
    (tmp_path / "github").mkdir()
    (tmp_path / "github" / "token").write_text("from the folder")
    held = {REF: b"from the manifest"}
    secrets = LocalSecrets(lambda: held, tmp_path, {"EVENTS_SECRET_GITHUB_TOKEN": "from the environment"})
    assert await secrets.read(REF) == "from the manifest"
    held.clear()
    assert await secrets.read(REF) == "from the folder"
    (tmp_path / "github" / "token").unlink()
    assert await secrets.read(REF) == "from the environment"


@pytest.mark.parametrize(
    ("value", "text"), [(b"a\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a "), (b"", ""), (b"\xff", "\udcff")]
)
async def test_one_newline_at_the_end_is_trimmed(value: bytes, text: str):
    assert await LocalSecrets(lambda: {REF: value}, environ={}).read(REF) == text


async def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path):
    with pytest.raises(Permanent, match=r"secret 'github', key 'token'.*EVENTS_SECRET_GITHUB_TOKEN"):
        await LocalSecrets(dict, tmp_path, {}).read(REF)


async def test_config_maps_and_secrets_are_apart():
    secrets = LocalSecrets(lambda: {REF: b"s"}, environ={})
    with pytest.raises(Permanent, match="configmap"):
        await secrets.read(Ref("github", "token", "configmap"))


@pytest.mark.parametrize(
    "ref", [Ref("..", "x"), Ref("a", "../x"), Ref("", "x"), Ref("/etc", "passwd"), Ref("a", "b\0")]
)
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, ref: Ref):
    (tmp_path / "x").write_text("outside")
    inside = tmp_path / "in"
    (inside / "a").mkdir(parents=True)
    with pytest.raises(Permanent):
        await LocalSecrets(dict, inside, {}).read(ref)


async def test_a_folder_in_the_place_of_a_file_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "github" / "token").mkdir(parents=True)
    with pytest.raises(Permanent, match="cannot read secret 'github'"):
        await LocalSecrets(dict, tmp_path, {}).read(REF)


def test_names_of_variables():
    assert variable(Ref("my-app.prod", "api_key")) == "EVENTS_SECRET_MY_APP_PROD_API_KEY"


def test_plain_names():
    assert plain("a.b")
    assert not any(map(plain, ("", ".", "..", "a/b", "a\0")))
