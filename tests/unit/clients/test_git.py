"""Where repositories are, what git says, what is never told."""

from __future__ import annotations

import pytest

from events.clients.git import Login, Place, check_entry, complaint, full_ref, inside, place_of
from events.errors import Permanent, Retryable

NONE = Login()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://github.com/acme/shop.git", ("https", "github.com", 443, "")),
        ("http://git.local:8080/shop", ("http", "git.local", 8080, "")),
        ("git@github.com:acme/shop.git", ("ssh", "github.com", 22, "git")),
        ("github.com:acme/shop.git", ("ssh", "github.com", 22, "")),
        ("ssh://git.local:2222/acme/shop.git", ("ssh", "git.local", 2222, "")),
        ("ssh://bot@[::1]:2222/shop", ("ssh", "::1", 2222, "bot")),
        ("file:///srv/git/shop.git", ("file", "", 0, "")),
        ("/srv/git/shop.git", ("file", "", 0, "")),
    ],
)
def test_where_a_url_leads(url: str, place: tuple[str, str, int, str]):
    found, login = place_of(url, NONE)
    assert found == Place(*place, url)
    assert login == NONE


def test_user_and_password_leave_the_url():
    found, login = place_of("https://bot:hidden@git.local/shop", NONE)
    assert found.url == "https://git.local/shop"
    assert login == Login("bot", "hidden")
    _, other = place_of("https://bot:hidden@git.local/shop", Login("deploy", "given"))
    assert other == Login("deploy", "given")
    assert "given" not in repr(other)


@pytest.mark.parametrize(
    "url",
    ["git://git.local/shop", "ext::sh -c id", "shop", "-oProxyCommand=id:x", "ssh://-oProxyCommand=id/x", ""],
)
def test_urls_that_are_refused(url: str):
    with pytest.raises(Permanent, match="git"):
        place_of(url, NONE)


def test_which_ref_counts():
    assert full_ref("refs/pull/7/head", "v1", "main") == "refs/pull/7/head"
    assert full_ref("", "v1", "main") == "refs/tags/v1"
    assert full_ref("", "", "main") == "refs/heads/main"
    assert full_ref("", "", "") == "refs/heads/master"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "~/x", "a\\b", "-x", ":(top)x"])
def test_paths_that_leave_their_folder(path: str):
    assert not inside(path)


def test_paths_that_stay():
    assert all(map(inside, ("a", "a/b.yaml", "a..b", ".github/x")))


def test_a_complaint_holds_no_secret_and_says_whether_to_try_again():
    login = Login("bot", "hidden")
    error = complaint("git x", "hint: no\nfatal: Authentication failed for 'https://bot:hidden@h/'\n", login)
    assert isinstance(error, Permanent)
    assert "hidden" not in str(error)
    assert "hint" not in str(error)
    assert "check url, branch, tag, ref and the login" in str(error)
    assert isinstance(complaint("git x", "fatal: unable to access: Failed to connect", login), Retryable)


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("", "there is no file a"),
        ("120000 blob abc 5\ta\0", "a is a link"),
        ("040000 tree abc -\ta\0", "a is a folder"),
        ("160000 commit abc -\ta\0", "a is a submodule"),
        ("100644 blob abc 11\ta\0", "a has 11 bytes, 10 are taken at the most"),
    ],
)
def test_what_is_no_file_to_take(listed: str, said: str):
    with pytest.raises(Permanent, match=said):
        check_entry(listed, "a", "git x", 10)


def test_a_file_to_take():
    assert check_entry("100644 blob abc      10\ta\0", "a", "git x", 10) == "abc"
