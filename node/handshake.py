"""Who is at the other end: TLS certificates bound to ledger keys.

TLS has no certificates on secp256k1, so a node makes an ed25519 certificate per start. The server
signs the hash of its certificate with its ledger key; the client checks that against the
certificate that TLS itself showed, then signs the same hash together with the server's nonce. A man
in the middle has another certificate and can use neither signature.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from ledger.assets import TransportKey, TransportLogin
from ledger.eip712 import Domain
from ledger.errors import PeerError
from ledger.keys import Key, signed_by
from ledger.ports import Clock, Entropy
from ledger.types import Address, Digest, short
from node import wire

CERTIFICATE_DAYS = 30
MAX_LOGIN_FRAME = 4_096
"""Bytes; a stranger gets no more memory than this before it has logged in."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a node needs to speak: its key, the ledger it belongs to, time and randomness."""

    key: Key
    domain: Domain
    clock: Clock
    entropy: Entropy


async def greet(
    me: Credentials,
    certificate: Digest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Address:
    """The server's side of the login; the client's proven address."""
    binding = TransportKey(certificate, int(me.clock.now()) + CERTIFICATE_DAYS * 86_400)
    nonce = Digest(me.entropy(32))
    hello = wire.Hello(me.key.address, binding, me.key.sign(me.domain, binding), nonce)
    writer.write(wire.encode(0, hello))
    login = wire.expect((await read_frame(reader, MAX_LOGIN_FRAME))[1], wire.Login)
    peer = Address(login.address)
    if not signed_by(me.domain, TransportLogin(certificate, nonce), login.signature, peer):
        writer.write(wire.encode(0, wire.Fault("the login is not signed by the address it names")))
        raise PeerError("The login is not signed by the address it names, for this ledger.")
    writer.write(wire.encode(0, wire.Welcome()))
    return peer


async def log_in(
    me: Credentials,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    expected: Address | None,
) -> Address:
    """The client's side of the login; the server's proven address."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    certificate = Digest(hashlib.sha256(shown).digest())
    hello = wire.expect((await read_frame(reader, MAX_LOGIN_FRAME))[1], wire.Hello)
    peer = Address(hello.address)
    if hello.key.certificate != certificate or hello.key.valid_until < me.clock.now():
        raise PeerError(
            "The peer's ledger key is bound to another certificate, or its binding ran out."
        )
    if not signed_by(me.domain, hello.key, hello.signature, peer):
        raise PeerError("The peer's certificate is not signed by its ledger key, for this ledger.")
    if expected is not None and peer != expected:
        raise PeerError(f"Expected {short(expected)} there, found {short(peer)}.")
    login = TransportLogin(certificate, Digest(hello.nonce))
    signature = me.key.sign(me.domain, login)
    writer.write(wire.encode(0, wire.Login(me.key.address, signature)))
    wire.expect((await read_frame(reader, MAX_LOGIN_FRAME))[1], wire.Welcome)
    return peer


async def read_frame(
    reader: asyncio.StreamReader, limit: int = wire.MAX_FRAME
) -> tuple[int, wire.Message]:
    length = wire.frame_length(await reader.readexactly(4), limit)
    return wire.decode(await reader.readexactly(length))


def client_context() -> ssl.SSLContext:
    """TLS 1.3. No authority vouches for a node's certificate: its ledger key does, in
    ``log_in``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(me: Credentials) -> tuple[ssl.SSLContext, Digest]:
    """A TLS 1.3 context with a fresh certificate, and the certificate's SHA-256."""
    private = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, me.key.address.hex())])
    now = datetime.datetime.fromtimestamp(me.clock.now(), datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .sign(private, None)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    pem = certificate.public_bytes(serialization.Encoding.PEM) + private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # ssl reads certificates from files only; this one is owner-only and gone before anybody
    # connects.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "certificate.pem")
        file.touch(0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return context, Digest(hashlib.sha256(der).digest())
