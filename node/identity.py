"""A node's key: an Ethereum keystore (V3, scrypt) beside a password file. Secrets come from files
or a prompt, never from the command line or the environment, and are never printed."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path

from coincurve import PrivateKey

from ledger.errors import SetupError, UsageError
from ledger.keys import Key
from ledger.ports import Entropy
from ledger.types import address_from_hex

STRONG_SCRYPT = 1 << 18
"""The keystore standard's own cost; about a second per unlock."""


def create(path: Path, password: str, entropy: Entropy, *, scrypt_n: int = STRONG_SCRYPT) -> Key:
    """Makes a key and its keystore; UsageError when the file is there already."""
    from eth_account import Account

    key = Key(PrivateKey(_scalar(entropy)))
    keystore = Account.encrypt(key.expose_secret(), password, kdf="scrypt", iterations=scrypt_n)
    descriptor = _create_owner_only(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(keystore, file)
        file.flush()
        os.fsync(file.fileno())
    return key


def unlock(path: Path, password: str) -> Key:
    """The key in a keystore; SetupError when it is missing, damaged or the password is wrong."""
    from eth_account import Account

    try:
        keystore = json.loads(path.read_text("utf-8"))
        key = Key(PrivateKey(bytes(Account.decrypt(keystore, password))))
        stated = keystore.get("address")
        agrees = not stated or address_from_hex(stated) == key.address
    except FileNotFoundError:
        raise SetupError(
            f"There is no keystore at {path}.", hint="Make one with: kudos key new FILE"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            f"The keystore {path} cannot be opened.",
            hint="Is the password right, and the file whole?",
        ) from error
    if not agrees:
        raise SetupError(
            f"The keystore {path} names another address than its key has.",
            hint="Somebody changed the file: use a copy that you trust.",
        )
    return key


def password_from(file: Path | None) -> str:
    """The first line of a file that only its owner can read, or what the terminal answers."""
    if file is None:
        if not sys.stdin.isatty():
            raise UsageError(
                "There is no terminal to ask for the password.",
                hint="Use --password-file FILE.",
            )
        return getpass.getpass("Password of the keystore: ")
    try:
        mode = file.stat().st_mode
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise SetupError(
            f"There is no password file {file}.",
            hint="Write the password into it first.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"The password file {file} cannot be read: {error}.",
            hint="Give a text file whose first line is the password.",
        ) from error
    if mode & 0o077:
        raise SetupError(
            f"Others may read the password file {file}.", hint=f"Run: chmod 600 {file}"
        )
    return text.splitlines()[0] if text else ""


def _create_owner_only(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise UsageError(
            f"There is something at {path} already.",
            hint="Choose another name; keys are never overwritten.",
        ) from None
    except OSError as error:
        raise SetupError(
            f"No keystore can be written at {path}: {error.strerror}.",
            hint="Choose a directory that you may write to.",
        ) from error


def _scalar(entropy: Entropy) -> bytes:
    """32 random bytes that are a private key; almost every draw is."""
    while True:
        candidate = entropy(32)
        if 0 < int.from_bytes(candidate, "big") < _ORDER:
            return candidate


_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
