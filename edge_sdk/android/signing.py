"""Signing by apksigner, with the user's key or with the debug key that Android's tools share."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.android.toolchain import Toolchain, java_of
from edge_sdk.android.tools import run_tool
from edge_sdk.errors import MissingToolError, RecipeError

# Android Studio's own convention; the password is no secret, and no one should trust the key.
_DEBUG = {"alias": "androiddebugkey", "password": "android"}


@dataclass(frozen=True)
class SigningKey:
    """A key in a keystore.

    Attributes:
        keystore: a PKCS #12 or JKS file.
        alias: of the key in it.
        password: where apksigner finds the password: ``env:NAME`` or ``file:PATH``; never the password itself.
        is_debug: made here, for sideloading alone.
    """

    keystore: Path
    alias: str
    password: str
    is_debug: bool = False


def user_key(keystore: Path, alias: str, password: str) -> SigningKey:
    """A key of the user's.

    Raises:
        RecipeError: the keystore is not there, or the password would stand on the command line.
    """
    if not keystore.is_file():
        raise RecipeError(f"{keystore}: no such keystore")
    if not password.startswith(("env:", "file:")):
        raise RecipeError("a password on the command line is readable by all", hint="env:NAME or file:PATH")
    return SigningKey(keystore, alias, password)


def debug_key(tools: Toolchain) -> SigningKey:
    """``~/.android/debug.keystore``, made if it is not there, so that APKs of this machine install over each other."""
    path = Path.home() / ".android" / "debug.keystore"
    if not path.exists():
        _make(path, tools)
    return SigningKey(path, _DEBUG["alias"], f"pass:{_DEBUG['password']}", is_debug=True)


def sign(tools: Toolchain, unsigned: Path, signed: Path, key: SigningKey, *, min_sdk: int) -> None:
    """Signs with schemes 2 and 3, which all systems since Android 7 read, and verifies what came out.

    Raises:
        BuildError: wrong password, no such alias, or a signature that does not verify.
    """
    keys = ["--ks", str(key.keystore), "--ks-key-alias", key.alias, "--ks-pass", key.password]
    chosen = {"v1": "false", "v2": "true", "v3": "true", "v4": "false"}
    schemes = [word for name, value in chosen.items() for word in (f"--{name}-signing-enabled", value)]
    levels = ["--min-sdk-version", str(min_sdk)]
    command = [*tools.apksigner, "sign", *keys, *schemes, *levels, "--in", str(unsigned), "--out", str(signed)]
    run_tool(command, what="apksigner sign", hint="see the keystore, the alias and the password")
    run_tool([*tools.apksigner, "verify", *levels, str(signed)], what="apksigner verify")


def _make(path: Path, tools: Toolchain) -> None:
    keytool = shutil.which("keytool") or str(Path(java_of(tools.javac)).with_name("keytool"))
    if not os.access(keytool, os.X_OK):
        raise MissingToolError("no keytool beside javac", hint="install a whole JDK")
    path.parent.mkdir(parents=True, exist_ok=True)
    word = _DEBUG["password"]
    name = "CN=Android Debug,O=Android,C=US"
    store = ["-keystore", str(path), "-storetype", "pkcs12", "-storepass", word, "-keypass", word]
    key = ["-alias", _DEBUG["alias"], "-keyalg", "RSA", "-keysize", "2048", "-validity", "10000", "-dname", name]
    run_tool([keytool, "-genkeypair", *store, *key], what="keytool -genkeypair")
