"""The demo's users' file, and the block that is printed."""

from __future__ import annotations

from pathlib import Path

from config.embedded.demo import DemoUser, describe, read_users, users_file, write_users_text

USERS = [
    DemoUser(email="staff@lakeside.example", password="p-1_x", path="/admin/"),
    DemoUser(email="owner@acme.example", password="longer-password", path="/t/acme/"),
]


def store(home: Path) -> Path:
    file = users_file(home)
    file.parent.mkdir()
    file.write_text(write_users_text(USERS))
    return file


def test_the_file_is_read_as_it_was_written(tmp_path: Path):
    assert read_users(store(tmp_path)) == USERS


def test_new_passwords_are_shown_beside_their_pages(tmp_path: Path):
    file = store(tmp_path)
    block = describe("http://127.0.0.1:8123/", tmp_path, with_passwords=True)
    assert "http://127.0.0.1:8123/t/acme/  owner@acme.example      longer-password" in block.splitlines()
    assert str(file) in block


def test_old_passwords_are_not_shown_again(tmp_path: Path):
    file = store(tmp_path)
    block = describe("http://127.0.0.1:8123/", tmp_path, with_passwords=False)
    assert "longer-password" not in block
    assert "owner@acme.example" in block
    assert str(file) in block
