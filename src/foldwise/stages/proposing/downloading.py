"""Downloads a competition's files, which `init` then looks at."""

from __future__ import annotations

from pathlib import Path

from foldwise.archives import unpack, unpacked_bytes
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.platforms.kaggle import slug_of
from foldwise.platforms.kaggle_entrance import entrance
from foldwise.platforms.kaggle_files import download_files
from foldwise.platforms.kaggle_line import opened
from foldwise.stages.display import Display
from foldwise.stages.uploading.moving import moving

_FOLDER = "data"


def data_place(
    home: Home, data: Path | None, platform: str | None, *, download: bool, dry_run: bool
) -> Path:
    """The raw folder, there or to be downloaded.

    Raises:
        ConfigError: options that do not fit each other.
    """
    if platform is None and (download or dry_run):
        flag = "--download" if download else "--dry-run"
        raise ConfigError(
            f"{flag}: goes with --platform, which is not given",
            remedy="say whose competition it is: --platform kaggle:NAME",
        )
    if data is None and not download:
        raise ConfigError(
            "--data: not given, so there is nothing to look at",
            remedy="name the raw folder with --data, or let it be downloaded: "
            "--platform kaggle:NAME --download",
        )
    return home.path / _FOLDER if data is None else data


def download_data(slug: str, folder: Path, show: Display) -> None:
    """Download and unpack all files of a competition, unless the folder holds something already.

    The folder appears whole. Interrupted, the download goes on where it was.

    Args:
        slug: the competition.
        folder: of the files.
        show: where progress is shown.

    Raises:
        PlatformError: the platform does not give them, or it was cut off again and again.
        DataError: what came is damaged, or does not fit on the disk.
    """
    if folder.is_dir() and any(folder.iterdir()):
        show.say(f"{folder}: holds files already, so nothing is downloaded")
        return
    archive = _archive(folder, slug)
    if not archive.exists():
        with opened(show.say) as line:
            download_files(line, slug, archive, moving(show))
    with moving(show)(f"unpacking {archive.name}", unpacked_bytes(archive)) as step:
        unpack(archive, folder, step=step)
    archive.unlink()
    packed = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.zip"))
    if packed:
        show.warn(f"{folder}: still packed: {', '.join(packed[:5])}; unpack what is needed")
    show.say(f"{folder}: the files of {slug}")


def rehearse(platform: str | None, folder: Path, *, download: bool, show: Display) -> None:
    """Say the calls that asking and downloading would make."""
    slug = slug_of(platform or "")
    with opened(show.say, dry_run=True) as line:
        entrance(line, slug)
        if download:
            download_files(line, slug, _archive(folder, slug), moving(show.silent()))


def _archive(folder: Path, slug: str) -> Path:
    return folder.with_name(f"{slug}.zip")
