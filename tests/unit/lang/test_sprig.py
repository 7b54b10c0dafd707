"""The table of Sprig functions: names, errors, environment, keys and certificates, arbitrary arguments."""

from __future__ import annotations

import base64
import importlib
import random
import sys
from contextlib import suppress
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.govalue import NO_VALUE, GoInt64, GoObject, GoStringMap, GoStrings
from events.lang.sprig import ENV_FUNCTIONS, FUNCTIONS, SprigFunction
from events.lang.sprig.certificates import GoCertificate
from events.lang.sprig.times import GoDuration, from_seconds

NAMES = """
abbrev abbrevboth trunc trim upper lower title untitle substr repeat trimall trimAll trimSuffix trimPrefix
nospace initials randAlphaNum randAlpha randAscii randNumeric swapcase shuffle snakecase camelcase kebabcase
wrap wrapWith contains hasPrefix hasSuffix quote squote cat indent nindent replace plural sha1sum sha256sum
sha512sum adler32sum toString hello atoi int int64 float64 toDecimal toStrings seq split splitList splitn
join sortAlpha add add1 sub div mod mul randInt add1f addf subf divf mulf biggest max min maxf minf ceil
floor round until untilStep ago date date_in_zone dateInZone date_modify dateModify must_date_modify
mustDateModify duration durationRound htmlDate htmlDateInZone toDate mustToDate now unixEpoch default empty
coalesce all any compact mustCompact ternary fail fromJson mustFromJson toJson mustToJson toPrettyJson
mustToPrettyJson toRawJson mustToRawJson deepCopy mustDeepCopy typeOf typeIs typeIsLike kindOf kindIs
deepEqual tuple list append push mustAppend mustPush prepend mustPrepend first mustFirst rest mustRest last
mustLast initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has mustHas slice
mustSlice concat chunk mustChunk dict get set unset hasKey pluck keys values pick omit merge mustMerge
mergeOverwrite mustMergeOverwrite dig base dir clean ext isAbs osBase osClean osDir osExt osIsAbs b64enc
b64dec b32enc b32dec bcrypt htpasswd genPrivateKey derivePassword buildCustomCert genCA genCAWithKey
genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES decryptAES
randBytes uuidv4 semver semverCompare regexMatch mustRegexMatch regexFind mustRegexFind regexFindAll
mustRegexFindAll regexReplaceAll mustRegexReplaceAll regexReplaceAllLiteral mustRegexReplaceAllLiteral
regexSplit mustRegexSplit regexQuoteMeta urlParse urlJoin getHostByName env expandenv
"""

SLOW = ("genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert")
ALL = {**FUNCTIONS, **ENV_FUNCTIONS}


def environment(seed: int = 1) -> Any:
    return SimpleNamespace(now=datetime(2024, 1, 1, 12, tzinfo=UTC), random=random.Random(seed))


def call(name: str, *arguments: Any, seed: int = 1) -> Any:
    function = ALL[name]
    return function(environment(seed), *arguments) if function.environment else function(*arguments)


def test_all_names_of_sprig_exist() -> None:
    names = NAMES.split()
    assert len(names) == len(set(names)) == 211
    assert set(names) == set(ALL)
    assert not set(FUNCTIONS) & set(ENV_FUNCTIONS)


def test_functions_tell_their_static_types() -> None:
    assert FUNCTIONS["substr"].params == ("int", "int", "string")
    assert not FUNCTIONS["substr"].variadic
    assert FUNCTIONS["pick"].params == ("map[string]interface {}", "string")
    assert FUNCTIONS["pick"].variadic
    assert ENV_FUNCTIONS["now"].params == ()
    assert ENV_FUNCTIONS["date"].params == ("string", "any")


def test_arguments_are_checked_as_text_template_does() -> None:
    for name, arguments in [
        ("trunc", ("abc",)),
        ("trunc", (1, "a", "b")),
        ("pick", ()),
        ("upper", (None,)),
        ("upper", (NO_VALUE,)),
        ("trunc", (True, "a")),
        ("trunc", (GoInt64(1), "a")),
        ("hasKey", (GoStringMap(), "a")),
        ("hasKey", (["a"], "a")),
        ("ternary", (1, 2, None)),
    ]:
        with pytest.raises(EvaluationError):
            call(name, *arguments)
    assert call("hasKey", None, "a") is False
    assert call("typeOf", NO_VALUE) == "<nil>"


def test_functions_that_reach_outside_are_switched_off() -> None:
    for name in ("env", "expandenv", "getHostByName"):
        with pytest.raises(EvaluationError, match=r"switched off: .*(credentials|network)"):
            call(name, "HOME")


# --- random -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("randAlphaNum", (20,)),
        ("randAlpha", (20,)),
        ("randAscii", (20,)),
        ("randNumeric", (20,)),
        ("randInt", (-5, 1 << 60)),
        ("randBytes", (20,)),
        ("shuffle", ("abcdefghijklmnopqrstuvwxyz",)),
        ("uuidv4", ()),
    ],
)
def test_random_values_follow_the_seed(name: str, arguments: tuple[Any, ...]) -> None:
    assert call(name, *arguments, seed=1) == call(name, *arguments, seed=1)
    assert call(name, *arguments, seed=1) != call(name, *arguments, seed=2)


def test_random_text_is_of_its_kind() -> None:
    assert call("randNumeric", 50).isdigit()
    assert call("randAlpha", 50).isalpha()
    assert call("randAlphaNum", 50).isalnum()
    assert all(" " <= char <= "~" for char in call("randAscii", 200))
    assert len(base64.b64decode(call("randBytes", 17))) == 17
    assert sorted(call("shuffle", "éabc")) == sorted("éabc")
    assert call("randAlpha", -1) == call("randBytes", 0) == call("shuffle", "") == ""


def test_random_numbers_lie_in_their_range() -> None:
    env = environment()
    assert {ENV_FUNCTIONS["randInt"](env, 3, 6) for _ in range(100)} == {3, 4, 5}
    for low, end in ((3, 3), (4, 3)):
        with pytest.raises(EvaluationError):
            call("randInt", low, end)


def test_uuids_are_of_version_4() -> None:
    env = environment()
    for _ in range(20):
        text = ENV_FUNCTIONS["uuidv4"](env)
        assert [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12]
        assert text[14] == "4"
        assert text[19] in "89ab"


@pytest.mark.parametrize("name", ["randAlphaNum", "randAscii", "randBytes"])
def test_random_text_without_bound_is_refused(name: str) -> None:
    with pytest.raises(EvaluationError, match="more than"):
        call(name, 1_000_001)


# --- crypto -------------------------------------------------------------------------------------------


def test_aes_is_undone() -> None:
    for password, text in [("", "x"), ("key", "é" * 20), ("k" * 40, "\udcff"), ("key", "sixteen bytes ..")]:
        encrypted = call("encryptAES", password, text)
        assert call("decryptAES", password, encrypted) == text
        assert call("encryptAES", password, text) != encrypted
    assert call("encryptAES", "key", "") == ""
    # what Sprig 3.3.0 encrypted
    assert call("decryptAES", "secretkey", "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=") == "plaintext"


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 16, b"x" * 33])
def test_aes_of_broken_length_is_an_error(data: bytes) -> None:
    with pytest.raises(EvaluationError):
        FUNCTIONS["decryptAES"]("key", base64.b64encode(data or b"x").decode())


@pytest.mark.parametrize(
    ("kind", "label"),
    [("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY")],
)
def test_keys_sign_certificates(kind: str, label: str) -> None:
    from cryptography import x509

    key = call("genPrivateKey", kind)
    assert key.startswith(f"-----BEGIN {label}-----\n")
    authority = call("genCAWithKey", "my-ca", 365, key)
    assert authority.key == key
    leaf = call("genSignedCertWithKey", "srv", ["10.0.0.1", "::1"], ["a.test"], 30, authority, key)
    root = x509.load_pem_x509_certificate(authority.cert.encode())
    certificate = x509.load_pem_x509_certificate(leaf.cert.encode())
    certificate.verify_directly_issued_by(root)
    assert certificate.subject.rfc4514_string() == "CN=srv"
    assert certificate.not_valid_before_utc == datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2024, 1, 31, 12, tzinfo=UTC)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_self_signed_certificates_bring_their_own_key() -> None:
    from cryptography import x509

    made = call("genSelfSignedCert", "srv", None, ["a.test"], 1)
    certificate = x509.load_pem_x509_certificate(made.cert.encode())
    certificate.verify_directly_issued_by(certificate)
    assert made.key.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert made.go_fields() == {"Cert": made.cert, "Key": made.key}


def test_custom_certificates_are_checked() -> None:
    key = call("genPrivateKey", "ed25519")
    made = call("genSelfSignedCertWithKey", "x", [], [], 1, key)
    encoded = [base64.b64encode(text.encode()).decode() for text in (made.cert, made.key)]
    assert call("buildCustomCert", *encoded) == made
    for certificate, secret in [("!", encoded[1]), (encoded[1], encoded[1]), (encoded[0], encoded[0])]:
        with pytest.raises(EvaluationError):
            call("buildCustomCert", certificate, secret)


@pytest.mark.parametrize(
    ("addresses", "names"),
    [([1.0], []), (["x"], []), (["fe80::1%eth0"], []), ([], [None]), ([], ["é"])],
)
def test_certificates_for_what_is_no_address_are_errors(addresses: list[Any], names: list[Any]) -> None:
    key = call("genPrivateKey", "ed25519")
    with pytest.raises(EvaluationError):
        call("genSelfSignedCertWithKey", "x", addresses, names, 1, key)


def test_keys_that_are_none_are_errors() -> None:
    authority = GoCertificate("", "")
    for key in ("", "x", "-----BEGIN X-----\nAA==\n-----END X-----\n"):
        with pytest.raises(EvaluationError):
            call("genCAWithKey", "x", 1, key)
    with pytest.raises(EvaluationError, match="decode certificate"):
        call("genSignedCertWithKey", "x", [], [], 1, authority, call("genPrivateKey", "ed25519"))


def test_another_key_than_the_authoritys_is_refused() -> None:
    authority = call("genCAWithKey", "ca", 1, call("genPrivateKey", "ed25519"))
    other = GoCertificate(authority.cert, call("genPrivateKey", "ed25519"))
    with pytest.raises(EvaluationError, match="doesn't match"):
        call("genSignedCertWithKey", "x", [], [], 1, other, call("genPrivateKey", "ed25519"))


def test_bcrypt_hashes_at_the_cost_of_sprig(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("bcrypt")
    library.gensalt = lambda rounds, prefix: b"%b.%d." % (prefix, rounds)  # type: ignore[attr-defined]
    library.hashpw = lambda data, salt: salt + data  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bcrypt", library)
    assert call("bcrypt", "x") == "2a.10.x"
    assert call("htpasswd", "u", "x") == "u:2a.10.x"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("bcrypt", ("x",)), ("encryptAES", ("k", "x")), ("genPrivateKey", ("ecdsa",)), ("genCA", ("x", 1))],
)
def test_a_missing_package_is_named_with_its_extra(
    name: str, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str) -> ModuleType:
        raise ImportError(module)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(EvaluationError, match=r"pip install 'events-trigger\[crypto\]'"):
        call(name, *arguments)


# --- arbitrary arguments ------------------------------------------------------------------------------

TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    [
        "2006-01-02",
        "1h",
        "1.2.3",
        "^1",
        "a",
        ",",
        "{}",
        "[1]",
        "http://u:p@h:80/p?q#f",
        "0x10",
        "\udcff",
        "$1",
        "(a)",
    ]
)
INTEGERS = st.integers(-3, 12) | st.sampled_from([-(1 << 63), (1 << 63) - 1, 1 << 40])
LEAVES = st.none() | st.booleans() | st.floats() | INTEGERS | TEXTS | INTEGERS.map(GoInt64)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXTS, inner, max_size=4)
        | st.lists(TEXTS, max_size=3).map(GoStrings)
        | st.dictionaries(TEXTS, TEXTS, max_size=3).map(GoStringMap)
    ),
    max_leaves=8,
)
TIMES = st.integers(-(10**12), 10**13).map(from_seconds)
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "any": VALUES | TIMES,
    "string": TEXTS,
    "int": INTEGERS,
    "uint32": st.integers(0, 9),
    "bool": st.booleans(),
    "float64": st.floats(),
    "time.Time": TIMES,
    "time.Duration": INTEGERS.map(GoDuration),
    "map[string]interface {}": st.none() | st.dictionaries(TEXTS, VALUES, max_size=4),
    "[]interface {}": st.lists(VALUES, max_size=4),
    "sprig.certificate": st.builds(GoCertificate, TEXTS, TEXTS),
}


def arguments_of(draw: st.DataObject, function: SprigFunction) -> list[Any]:
    """Mostly arguments of the right number and types."""
    count = len(function.params) + (draw.draw(st.integers(-1, 2)) if function.variadic else 0)
    types = [function.parameter(i) for i in range(count)]
    arguments = [draw.draw(OF_TYPE[name]) for name in types]
    if arguments and draw.draw(st.integers(0, 9)) == 0:
        arguments[draw.draw(st.integers(0, len(arguments) - 1))] = draw.draw(VALUES)
    return arguments


@settings(max_examples=400)
@given(st.sampled_from(sorted(set(ALL) - set(SLOW))), st.data())
def test_only_evaluation_errors_are_raised(name: str, data: st.DataObject) -> None:
    function = ALL[name]
    arguments = arguments_of(data, function)
    try:
        result = call(name, *arguments)
    except EvaluationError:
        return
    kinds = (bool, int, float, str, list, dict, GoObject, type(None))
    assert isinstance(result, kinds)


@settings(max_examples=150)
@given(st.sampled_from(sorted(set(ALL) - set(SLOW))), st.lists(VALUES, max_size=4))
def test_only_evaluation_errors_are_raised_without_checks(name: str, arguments: list[Any]) -> None:
    function = ALL[name]
    with suppress(EvaluationError):
        function.call(*([environment()] if function.environment else []), *arguments)
