"""Every error that auricle raises on purpose, one small tree.

AuricleError
├── ConfigError        what the user wrote cannot be run                       exit 2
│   └── NoDatasetError       there is no dataset where one was named
├── MissingExtraError  the command needs an optional dependency                exit 3
├── DatasetError       what is on disk breaks an invariant                     exit 4
│   ├── SchemaVersionError   written by a newer major version
│   └── IntegrityError       a byte or a file is not what its name says
├── StorageError       the store refused or failed                             exit 5
├── WeightsError       model weights are absent or not the pinned ones         exit 6
├── NothingScoredError not one of the files given could be scored              exit 7
├── PendingError       a takedown was interrupted and is not done              exit 8
├── WorkerError        workers cannot do their work, whatever the item         exit 9
├── NotConfirmedError  a command that deletes was not confirmed                exit 10
├── ClusterError       no node has what a worker takes, or nodes have other packages   exit 11
├── GateError          a critical expectation failed, nothing was published    exit 20
├── LossError          a source lost so many files that it must be meant       exit 21
├── StaleError         no night brought the dataset up to date in time          exit 22
├── BusyError          another run holds the dataset                           exit 75
└── ClipError          one clip or file is bad: becomes a row, never escapes a unit

Messages name the subject with its id, what is required, what was found, and what to do.
All of them survive pickling, because Ray carries them between processes.
"""

from __future__ import annotations


class AuricleError(Exception):
    """Base of the tree; `exit_code` is what the command ends with."""

    exit_code = 1


class ConfigError(AuricleError):
    """The configuration or the command line cannot be run as written."""

    exit_code = 2


class NoDatasetError(ConfigError):
    """There is no dataset at the path that was given: most often a mistyped one."""


class MissingExtraError(AuricleError):
    """A command needs packages that the base install leaves out."""

    exit_code = 3

    def __init__(self, verb: str, extra: str, module: str) -> None:
        self.verb, self.extra, self.module = verb, extra, module
        super().__init__(
            f"`{verb}` needs the package '{module}', which is not installed. "
            f"Install the extra that carries it: pip install 'auricle[{extra}]'"
        )

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.verb, self.extra, self.module)


class DatasetError(AuricleError):
    """The dataset on disk breaks one of its invariants."""

    exit_code = 4


class SchemaVersionError(DatasetError):
    """A record was written by a newer major version of its schema."""


class IntegrityError(DatasetError):
    """An object is missing or its bytes do not hash to its name."""


class StorageError(AuricleError):
    """The store (disk or object storage) refused an operation or kept failing."""

    exit_code = 5


class WeightsError(AuricleError):
    """Model weights are absent, unreadable or not those that are pinned."""

    exit_code = 6


class NothingScoredError(AuricleError):
    """Not one of the files given could be scored; each has its own reason."""

    exit_code = 7


class PendingError(AuricleError):
    """A takedown was interrupted: until it is done, nothing else is made of the dataset."""

    exit_code = 8


class WorkerError(AuricleError):
    """A pass ended, and not because of one item: workers keep dying, or what they build fails."""

    exit_code = 9


class NotConfirmedError(AuricleError):
    """A command that deletes was not confirmed: nothing was done."""

    exit_code = 10


class ClusterError(AuricleError):
    """The cluster cannot do the work: no node has what a worker takes, or nodes have other packages than the driver."""

    exit_code = 11


class GateError(AuricleError):
    """A critical expectation failed: the candidate is kept, nothing is published."""

    exit_code = 20


class LossError(AuricleError):
    """A source has lost more of its files than a night may take without being told to; nothing was done."""

    exit_code = 21


class StaleError(AuricleError):
    """A dataset was not brought up to date for longer than allowed: a night failed, or never ran."""

    exit_code = 22


class BusyError(AuricleError):
    """Another live run holds the dataset's lease."""

    exit_code = 75


class ClipError(AuricleError):
    """One clip or file cannot be processed; `reason` is a word of `FailureReason`."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason, self.message = reason, message
        super().__init__(f"{reason}: {message}")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.message)
