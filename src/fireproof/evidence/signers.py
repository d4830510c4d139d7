"""securesystemslib's signers, without the clouds' libraries until a key lies in a cloud.

It imports boto3 where that is installed: a tenth of a second of each run and each verification.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_NAME = "securesystemslib.signer"


def local_signers() -> ModuleType:
    """The package; for keys in files."""
    if _NAME in sys.modules or "boto3" in sys.modules:
        return importlib.import_module(_NAME)
    sys.modules["boto3"] = None  # type: ignore[assignment] # an import of it fails, and is expected to
    try:
        return importlib.import_module(_NAME)
    finally:
        del sys.modules["boto3"]


def all_signers() -> ModuleType:
    """The package, with every cloud whose library is installed."""
    found = sys.modules.get(_NAME)
    if found is not None and sys.modules[f"{_NAME}._aws_signer"].AWS_IMPORT_ERROR:
        for name in [name for name in sys.modules if name.startswith(_NAME)]:
            del sys.modules[name]
    return importlib.import_module(_NAME)
