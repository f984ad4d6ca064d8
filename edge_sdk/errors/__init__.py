"""Every exception edge-sdk raises on purpose, one class for each party who must act.

Import them from here; the files beside this one hold them by whose they are.

    EdgeSdkError                       .hint: what to do next
      ModelError                       the model cannot be read, converted or run
        UnsupportedOpError             .ops: every unsupported op, not the first
        SignatureError                 an input is missing, misnamed, or of the wrong shape or dtype
        UntrustedSourceError           loading the file could run code
      ToolError                        a wrapped tool failed: .tool .version .log_tail
        ConversionError                a converter or quantizer
          ParityError                  the file does not compute what it should: .report
            AccuracyError              it does, but its precision costs more than it may
          SlowError                    a precision that is slower than float where it shall run: .ratio
        BuildError                     a compiler, linker or signer
      CalibrationError                 no data, bad values, or data that does not match the signature
      TrainingError                    training cannot begin or go on: .checkpoint
        CheckpointError                a checkpoint belongs to another run, or is damaged
      RecipeError                      file, key path, value, allowed values or nearest
      ProfileError                     likewise for a device profile
        UnknownDeviceError             names the nearest
      PolicyError                      a delegate policy is ill-formed
      TargetError                      does not fit here: .limit .needed .available
        DelegateUnavailableError       a delegate cannot be had, or not for this model
        NothingPlacedError             compiled well, and nothing of it runs on the accelerator
      DeviceError                      a device cannot be reached, or cannot do what was asked: .address
        DeviceLostError                the link ended in the middle; nothing of what came is used
      TimeLimitError                   not done within the time that was given
      MeasurementError                 a measurement makes no sense as asked, or could not be taken
      BundleError                      a .edge file cannot be used, or cannot be made as asked
        BundleFormatError              not in the form of FORMAT.md: archive, manifest or a member
        BundleIntegrityError           a member is not what the manifest says
        BundleVersionError             made by a newer edge-sdk
        BundleSignatureError           unsigned, or not signed by a key that is trusted
      OutputError                      the result cannot be written where it was asked for
      MissingDependencyError           names the extra to install
      MissingToolError                 a program that pip cannot bring; names what to install
      LicenseError                     a vendor's licence was not accepted: .license_name

A message says what, where, expected and got; the hint says what to do. ``ValueError`` and ``TypeError`` are left
for programming mistakes.
"""

from __future__ import annotations

from typing import Any

from edge_sdk.errors.base import EdgeSdkError as EdgeSdkError
from edge_sdk.errors.base import nearest as nearest
from edge_sdk.errors.bundle import BundleError as BundleError
from edge_sdk.errors.bundle import BundleFormatError as BundleFormatError
from edge_sdk.errors.bundle import BundleIntegrityError as BundleIntegrityError
from edge_sdk.errors.bundle import BundleSignatureError as BundleSignatureError
from edge_sdk.errors.bundle import BundleVersionError as BundleVersionError
from edge_sdk.errors.bundle import OutputError as OutputError
from edge_sdk.errors.model import CalibrationError as CalibrationError
from edge_sdk.errors.model import ModelError as ModelError
from edge_sdk.errors.model import SignatureError as SignatureError
from edge_sdk.errors.model import UnsupportedOpError as UnsupportedOpError
from edge_sdk.errors.model import UntrustedSourceError as UntrustedSourceError
from edge_sdk.errors.target import DelegateUnavailableError as DelegateUnavailableError
from edge_sdk.errors.target import DeviceError as DeviceError
from edge_sdk.errors.target import DeviceLostError as DeviceLostError
from edge_sdk.errors.target import MeasurementError as MeasurementError
from edge_sdk.errors.target import NothingPlacedError as NothingPlacedError
from edge_sdk.errors.target import PolicyError as PolicyError
from edge_sdk.errors.target import ProfileError as ProfileError
from edge_sdk.errors.target import TargetError as TargetError
from edge_sdk.errors.target import TimeLimitError as TimeLimitError
from edge_sdk.errors.target import UnknownDeviceError as UnknownDeviceError
from edge_sdk.errors.tools import AccuracyError as AccuracyError
from edge_sdk.errors.tools import BuildError as BuildError
from edge_sdk.errors.tools import ConversionError as ConversionError
from edge_sdk.errors.tools import LicenseError as LicenseError
from edge_sdk.errors.tools import MissingDependencyError as MissingDependencyError
from edge_sdk.errors.tools import MissingToolError as MissingToolError
from edge_sdk.errors.tools import ParityError as ParityError
from edge_sdk.errors.tools import SlowError as SlowError
from edge_sdk.errors.tools import ToolError as ToolError
from edge_sdk.errors.training import CheckpointError as CheckpointError
from edge_sdk.errors.training import RecipeError as RecipeError
from edge_sdk.errors.training import TrainingError as TrainingError


def error_from_json(data: dict[str, Any]) -> EdgeSdkError:
    """The inverse of :meth:`EdgeSdkError.as_json`, for errors that cross a process boundary."""
    fields = dict(data)
    made: type[EdgeSdkError] = globals()[fields.pop("error")]
    if made is MissingDependencyError:
        return made(fields["package"], extra=fields["extra"], why=fields["why"])
    return made(fields.pop("message"), **fields)
