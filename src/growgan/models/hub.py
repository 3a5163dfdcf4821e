"""Models on the Hugging Face Hub, at addresses such as ``hf://OWNER/NAME[@REVISION][/FILE]``.

The library `huggingface_hub` (the extra `hub`) does the work: its login, cache and environment variables (HF_TOKEN,
HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE) have their usual meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from growgan.core.errors import ModelError

MODEL = "model.safetensors"
"""The file meant by an address without one."""
CARD = "README.md"
ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@(refs/\w+/[\w.-]+|[\w.-]+))?(?:/(.+))?", re.ASCII)
HTTP = ("httpx", "httpx2", "requests", "urllib3")
"""Libraries, depending on the hub library's version, whose errors mean that there is no connection."""


@dataclass(frozen=True)
class Address:
    """A location on the hub."""

    repository: str
    """OWNER/NAME."""
    revision: str | None = None
    """A branch, tag or commit; None = the main branch."""
    file: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repository}{revision}" + (f"/{self.file}" if self.file else "")


def is_address(source: str | Path) -> bool:
    """Whether `source` names something on the hub."""
    return isinstance(source, str) and source.startswith("hf://")


def parse(text: str) -> Address:
    """The parts of an address. Raises `ModelError` if it is invalid."""
    found = ADDRESS.fullmatch(text)
    if not found or ".." in (found[3] or "").split("/"):
        raise ModelError(f"a Hub address is hf://OWNER/NAME, optionally with @REVISION or /FILE, not {text!r}")
    return Address(found[1], found[2], found[3])


def parse_repository(text: str) -> Address:
    """The address of a repository or one of its branches. Raises `ModelError` if it names a file."""
    address = parse(text)
    if address.file:
        raise ModelError(f"{text} is the address of a file: push a model to hf://OWNER/NAME")
    return address


def fetch(text: str) -> Path:
    """Fetch the file at an address and return its path in the library's cache; unchanged files are not fetched again.

    The default file is ``model.safetensors``, else the only .safetensors in the repository. Raises `ModelError`.
    """
    address = parse(text)
    hub = _library(address)
    with _plainly(address, hub):
        try:
            return _download(hub, address, address.file or MODEL)
        except hub.errors.RemoteEntryNotFoundError:
            if address.file:
                raise
            names = hub.HfApi().list_repo_files(address.repository, revision=address.revision)
            models = [name for name in names if name.endswith(".safetensors")]
            if len(models) != 1:
                several = f"several: specify one of {', '.join(sorted(models))}" if models else "none"
                raise ModelError(f"{address} has no {MODEL}; other .safetensors: {several}") from None
            return _download(hub, address, models[0])


def _download(hub: Any, address: Address, file: str) -> Path:
    """A file's path in the cache. If it is not there, it is first looked up: the library would make six requests."""
    where = {"repo_id": address.repository, "filename": file, "revision": address.revision}
    if not hub.constants.HF_HUB_OFFLINE and not isinstance(hub.try_to_load_from_cache(**where), str):
        hub.get_hf_file_metadata(hub.hf_hub_url(**where))
    return Path(hub.hf_hub_download(**where))


def publish(address: Address, folder: Path, message: str, private: bool = False) -> str:
    """Upload the files of a folder to the hub in one commit, creating the repository if necessary.

    The hub first validates the folder's card.

    private: whether a new repository is private. Returns the commit's address. Raises `ModelError`.
    """
    hub = _library(address)
    with _plainly(address, hub):
        api = hub.HfApi(library_name="growgan")
        if (folder / CARD).is_file():
            hub.ModelCard((folder / CARD).read_text(encoding="utf-8")).validate()
        api.create_repo(address.repository, private=private or None, exist_ok=True)
        if address.revision:
            api.create_branch(address.repository, branch=address.revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=address.repository, folder_path=folder, revision=address.revision, commit_message=message
        )
        return str(done.commit_url)


def _library(address: Address) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError:
        raise ModelError(f"{address} needs the package huggingface_hub: pip install huggingface_hub") from None
    return huggingface_hub


def _complaint(error: ValueError) -> str:
    """The hub's objection to a card, in one line; the library passes on the raw answer."""
    text = str(error)
    with suppress(ValueError, TypeError, KeyError):
        text = "; ".join(str(one["message"]) for one in json.loads(text)["errors"])
    return " ".join(text.split())[:300]


@contextmanager
def _plainly(address: Address, hub: Any) -> Iterator[None]:
    """Turn the library's errors into one line that says what to do."""
    errors = hub.errors
    try:
        yield
    except ModelError:
        raise
    except errors.GatedRepoError as error:
        raise ModelError(f"{address} requires you to accept its terms first, on its page on the Hub") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"no {address.repository} on the Hub, or it is private and you are not logged in (hf auth login)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{address.repository} has no revision {address.revision!r}") from error
    except errors.RemoteEntryNotFoundError as error:
        raise ModelError(f"{address.repository} has no file {address.file or MODEL}") from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelError(f"{address} cannot be reached: huggingface_hub is in offline mode") from error
    except errors.LocalEntryNotFoundError as error:
        why = "huggingface_hub is in offline mode" if hub.constants.HF_HUB_OFFLINE else "no connection"
        raise ModelError(f"{address} is not in the cache and cannot be downloaded: {why}") from error
    except errors.LocalTokenNotFoundError as error:
        raise ModelError(f"{address} needs a login: use hf auth login or HF_TOKEN") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ModelError(f"the Hub refused {address}: log in as a user with access (hf auth login)") from error
        raise ModelError(f"the Hub could not serve {address}: {status} {error.response.reason_phrase}") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{address} is not a valid address on the Hub: {_complaint(error)}") from error
    except ValueError as error:
        raise ModelError(f"the Hub rejected what was meant for {address}: {_complaint(error)}") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in HTTP or isinstance(error, OSError):
            raise ModelError(f"{address} cannot be reached: {str(error) or type(error).__name__}") from error
        raise
