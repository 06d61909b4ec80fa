"""The weights a network starts from: a hub's, a file's or an installed package's."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from foldwise.errors import ConfigError, OfflineError, RulesError
from foldwise.models.foreign import check_header, convert, key_order
from foldwise.models.names import hub_place, state_keys, tagged
from foldwise.models.packages import Channels, find_package
from foldwise.publish import locked, publish

_PACKAGE = "package:"
_FOREIGN = (".pt", ".pth", ".bin")
_TIMEOUT_S = 5.0
_LOCK_S = 600.0


@dataclass(frozen=True)
class Weights:
    """Weights on this disk, as safetensors.

    Attributes:
        source: where they come from, as the recipe says it.
        file: safetensors; keys as the network's, or as a `Network` of ours writes them.
        fingerprint: SHA-256 of the original file.
        mean: of the images they were trained on, channels in 0..1; None: as timm's network says.
        std: the same.
    """

    source: str
    file: Path
    fingerprint: str
    mean: Channels | None = None
    std: Channels | None = None

    def read(self) -> dict[str, Tensor]:
        """Names and tensors, on the CPU.

        Raises:
            ConfigError: the file is damaged.
        """
        check_header(self.file)
        try:
            tensors: dict[str, Tensor] = load_file(self.file)
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"{self.file}: damaged: {error}") from error
        return tensors


def resolve(
    spec: bool | str, *, name: str, rules_pretrained: str, cache: Path, folder: Path | None = None
) -> Weights | None:
    """Find, and if need be convert, the weights that a recipe asks for.

    Args:
        spec: False: none; True: timm's own from the hub, the only case that may download;
            `package:NAME`; else a file: .safetensors, or .pt, .pth, .bin, which is converted.
        name: of the network.
        rules_pretrained: "allowed" or "forbidden".
        cache: folder for converted files; what the hub cannot give is looked for here, too.
        folder: what a relative path starts from; None: the working folder.

    Returns:
        The weights, or None: from scratch.

    Raises:
        RulesError: the competition forbids weights trained on other data.
        ConfigError: no such file or package, or it is damaged or not weights.
        OfflineError: it cannot be had; says which file would do and where.
    """
    if spec is False:
        return None
    if rules_pretrained == "forbidden":
        raise RulesError(
            f"model.pretrained: {spec}: the competition's rules forbid pretrained weights",
            remedy="set model.pretrained: false, or correct rules.pretrained if it is wrong",
        )
    if spec is True:
        return _from_hub(name, cache)
    if spec.startswith(_PACKAGE):
        return _from_package(spec, name, cache)
    return _from_file((folder or Path()) / Path(spec).expanduser(), cache)


def _from_file(path: Path, cache: Path) -> Weights:
    if not path.is_file():
        raise ConfigError(
            f"model.pretrained: {path}: no such file",
            remedy="give true, false, package:NAME, or the path of a weights file",
        )
    source = f"file:{path.name}"
    if path.suffix == ".safetensors":
        return Weights(source, path, _sha256(path))
    if path.suffix not in _FOREIGN:
        raise ConfigError(
            f"model.pretrained: {path}: a weights file ends in .safetensors or "
            f"{', '.join(_FOREIGN)}, found {path.suffix or 'no ending'}"
        )
    return Weights(source, _converted(path, cache), _sha256(path))


def _converted(path: Path, cache: Path) -> Path:
    target = cache / f"{_sha256(path)[:16]}.safetensors"
    with _converting(cache):
        if not target.exists():
            publish(target, lambda part: convert(path, part))
    return target


def _from_package(spec: str, name: str, cache: Path) -> Weights:
    package = spec.removeprefix(_PACKAGE)
    entry, path = find_package(package, network=name)
    fingerprint = _sha256(path)
    target = cache / f"{fingerprint[:16]}-{entry.network}.safetensors"
    with _converting(cache):
        if not target.exists():
            plain = cache / f"{fingerprint[:16]}.safetensors"
            publish(plain, lambda part: convert(path, part))
            new_names = entry.rename(key_order(plain), state_keys(entry.network))
            tensors = {new_names[key]: value for key, value in load_file(plain).items()}
            publish(target, lambda part: save_file(tensors, part))
            plain.unlink()
    return Weights(spec, target, fingerprint, entry.mean, entry.std)


def _converting(cache: Path) -> AbstractContextManager[None]:
    # Units that start side by side want the same file; one converts, the others wait.
    return locked(cache / ".lock", doing="converting weights", wait_s=_LOCK_S)


def _from_hub(name: str, cache: Path) -> Weights:
    repository, file = hub_place(name)
    own = cache / f"{tagged(name)}.safetensors"
    if own.is_file():
        return Weights(f"hub:{repository}", own, _sha256(own))
    found, reason = _hub_file(repository, file)
    if found is None:
        raise OfflineError(
            f"model.pretrained: true: {file} of {repository} is not in the hub's cache "
            f"and cannot be had: {reason}",
            remedy=f"put that file at {own}, or give its path or package:NAME as model.pretrained",
        )
    return Weights(f"hub:{repository}", found, _sha256(found))


def _hub_file(repository: str, file: str) -> tuple[Path | None, str]:
    """The hub's file, from its cache or, if allowed, fetched; else why not."""
    import huggingface_hub as hub

    cached = hub.try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached), ""
    # Read here: the hub's library looks at the variable only when it is imported.
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return None, "HF_HUB_OFFLINE is set"
    try:
        _knock(hub.constants.ENDPOINT)
        return Path(hub.hf_hub_download(repository, file, etag_timeout=_TIMEOUT_S)), ""
    except Exception as error:  # The hub's HTTP library, and so its errors, change with versions.
        return None, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _knock(endpoint: str) -> None:
    """Fail at once where there is no network: the hub's library would retry for half a minute."""
    address = urlsplit(endpoint)
    if "https" in getproxies() or "all" in getproxies():
        return
    socket.create_connection((address.hostname, address.port or 443), _TIMEOUT_S).close()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
