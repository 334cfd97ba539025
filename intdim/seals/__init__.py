"""What is read from disk is checked before it is believed, and what fails is set aside.

A folder that is complete has a file ``hashes.json``: the folder's name, a version, and the SHA-256 of each file that a
number may rest on. It is written before the file that marks the folder as complete, so that such a file without its
hashes is damage. A record that stands alone carries its own name and hash (``write_sealed``). Cut, changed, swapped and
foreign files are found alike.

Nothing that fails is deleted: it moves to ``damaged/`` under the results or cache folder, with a line that says so.
"""

from intdim.seals.damage import Damaged, Tell, make_folder, obstacle, room_for, set_aside, shown, warn, words
from intdim.seals.folders import HASHES, add, check, complete, listed, read, sealed_version, sha256
from intdim.seals.records import content_hash, read_sealed, write_sealed

__all__ = [
    "HASHES",
    "Damaged",
    "Tell",
    "add",
    "check",
    "complete",
    "content_hash",
    "listed",
    "make_folder",
    "obstacle",
    "read",
    "read_sealed",
    "room_for",
    "sealed_version",
    "set_aside",
    "sha256",
    "shown",
    "warn",
    "words",
    "write_sealed",
]
