"""Keys, certificates and AES through the package `cryptography`; import only when a function needs it.

Forms     RSA keys as PKCS#1, ECDSA keys as SEC 1, DSA keys in OpenSSL's form, others as PKCS#8, all in PEM
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from events.errors import EvaluationError
from events.lang.govalue import GoObject, from_bytes

SigningKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)
_KEY_LABELS: Final = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY")
_RSA_BITS: Final = 2048
_LARGE_RSA_BITS: Final = 4096


@dataclass(frozen=True)
class GoCertificate(GoObject):
    """sprig.certificate: certificate and key as PEM, `.Cert` and `.Key` in templates."""

    cert: str
    key: str

    go_type: ClassVar[str] = "sprig.certificate"

    def go_fields(self) -> dict[str, Any]:
        """The exported fields."""
        return {"Cert": self.cert, "Key": self.key}


class Subject(NamedTuple):
    """Whom a certificate is for and how long it is valid."""

    name: str
    addresses: list[Any]
    names: list[Any]
    start: datetime
    days: int


def aes_cbc(key: bytes, start: bytes, data: bytes, *, encrypt: bool) -> bytes:
    """AES-256-CBC of whole blocks, from the initial vector `start`."""
    cipher = Cipher(algorithms.AES256(key), modes.CBC(start))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


# --- keys -----------------------------------------------------------------------------------------------


def rsa_key() -> SigningKey:
    """A new key for a certificate."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def private_key_pem(kind: str) -> bytes:
    """A new key of this kind as PEM."""
    if kind == "ecdsa":
        return _key_pem(ec.generate_private_key(ec.SECP256R1()))
    if kind == "ed25519":
        return _key_pem(ed25519.Ed25519PrivateKey.generate())
    if kind == "dsa":
        return _key_pem(dsa.generate_private_key(key_size=_RSA_BITS))
    return _key_pem(rsa.generate_private_key(public_exponent=65537, key_size=_LARGE_RSA_BITS))


def parsed_key(pem: bytes) -> SigningKey:
    """The private key in the first PEM block. Raises EvaluationError if it cannot sign certificates."""
    key = _load_key(pem)
    if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        return key
    raise EvaluationError("x509: only RSA, ECDSA and Ed25519 keys supported")


def _load_key(pem: bytes) -> PrivateKeyTypes:
    block = _first_block(pem, "no PEM data in input")
    if block[1] not in _KEY_LABELS:
        raise EvaluationError(f"no private key data in PEM block of type {block[1].decode()}")
    try:
        return serialization.load_pem_private_key(block[0], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise EvaluationError(f"parsing private key from PEM: {exc}") from exc


def _first_block(pem: bytes, missing: str) -> re.Match[bytes]:
    block = _PEM.search(pem)
    if block is None:
        raise EvaluationError(missing)
    return block


def _key_pem(key: PrivateKeyTypes) -> bytes:
    traditional = not isinstance(key, ed25519.Ed25519PrivateKey)
    forms = serialization.PrivateFormat
    form = forms.TraditionalOpenSSL if traditional else forms.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


# --- certificates ---------------------------------------------------------------------------------------


def custom(certificate: bytes, key: bytes) -> GoCertificate:
    """A certificate and a key in PEM, checked only for being that."""
    _load_certificate(certificate)
    _load_key(key)
    return GoCertificate(from_bytes(certificate), from_bytes(key))


def authority(subject: Subject, key: SigningKey) -> GoCertificate:
    """A certificate that may sign others, signed by itself."""
    builder = _builder(subject, key, _name(subject.name), authority=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return _signed(builder.add_extension(identifier, critical=False), key, key)


def self_signed(subject: Subject, key: SigningKey) -> GoCertificate:
    """A certificate for a server or client, signed by itself."""
    return _signed(_builder(subject, key, _name(subject.name), authority=False), key, key)


def signed(subject: Subject, by: GoCertificate, key: SigningKey) -> GoCertificate:
    """A certificate for a server or client, signed by another one's key."""
    parent = _load_certificate(by.cert.encode())
    signer = parsed_key(by.key.encode())
    if parent.public_key() != signer.public_key():
        raise EvaluationError("x509: provided PrivateKey doesn't match parent's PublicKey")
    builder = _builder(subject, key, parent.subject, authority=False)
    return _signed(_with_authority_key(builder, parent), key, signer)


def _load_certificate(pem: bytes) -> x509.Certificate:
    block = _first_block(pem, "unable to decode certificate")
    try:
        return x509.load_pem_x509_certificate(block[0])
    except ValueError as exc:
        raise EvaluationError(f"error parsing certificate: {exc}") from exc


def _builder(
    subject: Subject, key: SigningKey, issuer: x509.Name, *, authority: bool
) -> x509.CertificateBuilder:
    start = subject.start.replace(microsecond=0)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject.name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=subject.days))
        .add_extension(_key_usage(authority=authority), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    alternatives = [*map(_dns_name, subject.names), *map(_address, subject.addresses)]
    if not alternatives:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not subject.name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _with_authority_key(
    builder: x509.CertificateBuilder, parent: x509.Certificate
) -> x509.CertificateBuilder:
    try:
        identifier = parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return builder
    extension = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return builder.add_extension(extension, critical=False)


def _signed(builder: x509.CertificateBuilder, key: SigningKey, signer: SigningKey) -> GoCertificate:
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else _digest(signer)
    pem = builder.sign(signer, digest).public_bytes(serialization.Encoding.PEM)
    return GoCertificate(pem.decode(), _key_pem(key).decode())


def _digest(signer: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Any:
    size = signer.curve.key_size if isinstance(signer, ec.EllipticCurvePrivateKey) else 0
    return hashes.SHA512() if size > 384 else hashes.SHA384() if size > 256 else hashes.SHA256()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def _dns_name(value: Any) -> x509.DNSName:
    if type(value) is not str:
        raise EvaluationError("error processing alternate dns name: it is not a string")
    return x509.DNSName(value)


def _address(value: Any) -> x509.IPAddress:
    if type(value) is not str:
        raise EvaluationError("error parsing ip: it is not a string")
    if "%" in value:
        raise EvaluationError(f"error parsing ip: {value}")
    address = ipaddress.ip_address(value)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return x509.IPAddress(mapped or address)
