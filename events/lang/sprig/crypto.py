"""Hashes, passwords, AES, keys and certificates.

Extra     keys, certificates and AES need the package `cryptography`, bcrypt and htpasswd the package
          `bcrypt`; both are imported when a function is called
Random    keys, certificates, salts and the initial vector of encryptAES come from the operating system, not
          from the seeded source: rendering again gives others
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import os
import zlib
from types import ModuleType
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.govalue import from_bytes, to_bytes
from events.lang.sprig.encoding import b64enc, decode_base64
from events.lang.sprig.env import Env
from events.lang.sprig.table import Table

TABLE = Table()

CERTIFICATE: Final = "sprig.certificate"
_SUBJECT: Final = "string, []interface {}, []interface {}, int"
_AES_BLOCK: Final = 16
_AES_KEY: Final = 32
_BCRYPT_COST: Final = 10
_BCRYPT_LIMIT: Final = 72

# --- hashes ---------------------------------------------------------------------------------------------


@TABLE.function("sha1sum", "string")
def sha1sum(text: str) -> str:
    """SHA-1 in hexadecimal."""
    return hashlib.sha1(to_bytes(text), usedforsecurity=False).hexdigest()


@TABLE.function("sha256sum", "string")
def sha256sum(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(to_bytes(text)).hexdigest()


@TABLE.function("sha512sum", "string")
def sha512sum(text: str) -> str:
    """SHA-512 in hexadecimal."""
    return hashlib.sha512(to_bytes(text)).hexdigest()


@TABLE.function("adler32sum", "string")
def adler32sum(text: str) -> str:
    """Adler-32 in decimal."""
    return str(zlib.adler32(to_bytes(text)))


# --- passwords ------------------------------------------------------------------------------------------


@TABLE.function("bcrypt", "string")
def bcrypt(password: str) -> str:
    """The bcrypt hash of a password at cost 10; of a longer one than 72 bytes an error text, as in Sprig."""
    data = to_bytes(password)
    if len(data) > _BCRYPT_LIMIT:
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
    library = _extra("bcrypt")
    return str(library.hashpw(data, library.gensalt(rounds=_BCRYPT_COST, prefix=b"2a")), "ascii")


@TABLE.function("htpasswd", "string, string")
def htpasswd(user: str, password: str) -> str:
    """A line of an htpasswd file."""
    return f"invalid username: {user}" if ":" in user else f"{user}:{bcrypt(password)}"


_PASSWORD_SCOPE: Final = b"com.lyndir.masterpassword"
_PASSWORD_FORMS: Final = {
    "maximum": "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno",
    "long": "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno "
    "CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno "
    "CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno "
    "CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno",
    "medium": "CvcnoCvc CvcCvcno",
    "short": "Cvcn",
    "basic": "aaanaaan aannaaan aaannaaa",
    "pin": "nnnn",
}
"""Master Password: which class of characters stands where."""
_VOWELS: Final = "AEIOU"
_CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXYZ"
_LETTERS: Final = _VOWELS + _VOWELS.lower() + _CONSONANTS + _CONSONANTS.lower()
_PASSWORD_CLASSES: Final = {
    "V": _VOWELS,
    "C": _CONSONANTS,
    "v": _VOWELS.lower(),
    "c": _CONSONANTS.lower(),
    "a": _LETTERS,
    "n": "0123456789",
    "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": _LETTERS + "0123456789!@#$%^&*()",
}


@TABLE.function("derivePassword", "uint32, string, string, string, string")
def derive_password(counter: int, form: str, password: str, user: str, site: str) -> str:
    """The password of a user for a site, derived from a main password (Master Password algorithm)."""
    if form not in _PASSWORD_FORMS:
        return f"cannot find password template {form}"
    key = hashlib.scrypt(
        to_bytes(password), salt=_PASSWORD_SCOPE + _counted(user), n=32768, r=8, p=2, maxmem=1 << 27, dklen=64
    )
    message = _PASSWORD_SCOPE + _counted(site) + counter.to_bytes(4, "big")
    seed = hmac.digest(key, message, "sha256")
    forms = _PASSWORD_FORMS[form].split()
    classes = [_PASSWORD_CLASSES[name] for name in forms[seed[0] % len(forms)]]
    return "".join([choices[byte % len(choices)] for choices, byte in zip(classes, seed[1:], strict=False)])


def _counted(text: str) -> bytes:
    data = to_bytes(text)
    return len(data).to_bytes(4, "big") + data


# --- AES ------------------------------------------------------------------------------------------------


@TABLE.function("encryptAES", "string, string")
def encrypt_aes(password: str, text: str) -> str:
    """AES-256-CBC with a random initial vector in front, as Base64."""
    if not text:
        return ""
    data = to_bytes(text)
    padding = _AES_BLOCK - len(data) % _AES_BLOCK
    start = os.urandom(_AES_BLOCK)
    encrypted = _keys().aes_cbc(_aes_key(password), start, data + bytes([padding]) * padding, encrypt=True)
    return b64enc(from_bytes(start + encrypted))


@TABLE.function("decryptAES", "string, string")
def decrypt_aes(password: str, encrypted: str) -> str:
    """What `encryptAES` encrypted. Raises EvaluationError for anything else."""
    if not encrypted:
        return ""
    data = decode_base64(to_bytes(encrypted))
    if len(data) <= _AES_BLOCK or len(data) % _AES_BLOCK:
        raise EvaluationError("crypto/cipher: input not full blocks")
    decrypted = _keys().aes_cbc(_aes_key(password), data[:_AES_BLOCK], data[_AES_BLOCK:], encrypt=False)
    if decrypted[-1] > len(decrypted):
        raise EvaluationError("runtime error: slice bounds out of range")
    return from_bytes(decrypted[: len(decrypted) - decrypted[-1]])


def _aes_key(password: str) -> bytes:
    return to_bytes(password)[:_AES_KEY].ljust(_AES_KEY, b"\0")


# --- keys and certificates ------------------------------------------------------------------------------


@TABLE.function("genPrivateKey", "string")
def gen_private_key(kind: str) -> str:
    """A new private key (rsa, dsa, ecdsa, ed25519; empty means rsa) as PEM."""
    if kind not in ("", "rsa", "dsa", "ecdsa", "ed25519"):
        return f"Unknown type {kind}"
    return str(_keys().private_key_pem(kind), "ascii")


@TABLE.function("buildCustomCert", "string, string")
def build_custom_cert(certificate: str, key: str) -> Any:
    """A certificate and its key, both given as Base64 of PEM. Raises EvaluationError for other text."""
    return _keys().custom(decode_base64(to_bytes(certificate)), decode_base64(to_bytes(key)))


@TABLE.function("genCA", "string, int", environment=True)
def gen_ca(env: Env, name: str, days: int) -> Any:
    """A new certificate authority, valid from now for some days."""
    keys = _keys()
    return keys.authority(keys.Subject(name, [], [], env.now, days), keys.rsa_key())


@TABLE.function("genCAWithKey", "string, int, string", environment=True)
def gen_ca_with_key(env: Env, name: str, days: int, key: str) -> Any:
    """As `genCA`, with a key given as PEM."""
    keys = _keys()
    return keys.authority(keys.Subject(name, [], [], env.now, days), keys.parsed_key(to_bytes(key)))


@TABLE.function("genSelfSignedCert", _SUBJECT, environment=True)
def gen_self_signed_cert(env: Env, name: str, ips: list[Any], names: list[Any], days: int) -> Any:
    """A new certificate for addresses and DNS names, signed by itself."""
    keys = _keys()
    return keys.self_signed(keys.Subject(name, ips, names, env.now, days), keys.rsa_key())


@TABLE.function("genSelfSignedCertWithKey", f"{_SUBJECT}, string", environment=True)
def gen_self_signed_cert_with_key(
    env: Env, name: str, ips: list[Any], names: list[Any], days: int, key: str
) -> Any:
    """As `genSelfSignedCert`, with a key given as PEM."""
    keys = _keys()
    return keys.self_signed(keys.Subject(name, ips, names, env.now, days), keys.parsed_key(to_bytes(key)))


@TABLE.function("genSignedCert", f"{_SUBJECT}, {CERTIFICATE}", environment=True)
def gen_signed_cert(env: Env, name: str, ips: list[Any], names: list[Any], days: int, by: Any) -> Any:
    """A new certificate for addresses and DNS names, signed by an authority."""
    keys = _keys()
    return keys.signed(keys.Subject(name, ips, names, env.now, days), by, keys.rsa_key())


@TABLE.function("genSignedCertWithKey", f"{_SUBJECT}, {CERTIFICATE}, string", environment=True)
def gen_signed_cert_with_key(
    env: Env, name: str, ips: list[Any], names: list[Any], days: int, by: Any, key: str
) -> Any:
    """As `genSignedCert`, with a key given as PEM."""
    keys = _keys()
    return keys.signed(keys.Subject(name, ips, names, env.now, days), by, keys.parsed_key(to_bytes(key)))


def _keys() -> Any:
    return _extra("events.lang.sprig.certificates")


def _extra(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise EvaluationError("needs an extra: pip install 'events-trigger[crypto]'") from exc
