"""Whom a server runs as. PostgreSQL refuses root, so root runs it as an ordinary account."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of this machine."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the account called ``name``, or `None`."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)

    @classmethod
    def owning(cls, path: Path) -> Self | None:
        """Return the account that a file belongs to, or `None` if it has no name."""
        try:
            return cls.named(pwd.getpwuid(path.stat().st_uid).pw_name)
        except KeyError:
            return None

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that make a process run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this account."""
        os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this account may pass every folder down to ``folder``, by their mode bits."""
        real = folder.resolve()
        return all(self._may_pass(each.stat()) for each in (real, *real.parents) if each.exists())

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def account_for(data: Path) -> Account | None:
    """Return whom to run PostgreSQL as: `None` for ourselves.

    Root takes the account that owns the data already, else `postgres`, else `nobody`.
    An account needs a name: PostgreSQL refuses a user id without one.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return Account.owning(data)
    return Account.named("postgres") or Account.named("nobody")
