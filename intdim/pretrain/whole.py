"""What a pre-training finds of itself in ``out`` is checked before it is resumed; what is damaged is set aside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from intdim import seals
from intdim.ledger import pretrained
from intdim.ledger.pretrained import RECORD, STATE, TOKENIZER
from intdim.ledger.store import Ledger
from intdim.pretrain.record import identity_of, same_record, write_record
from intdim.seals import Damaged, Tell


def heal(out: Path, record: dict[str, Any], tell: Tell) -> None:
    """Set aside what is damaged of the pre-training ``record`` in ``out``; another one, or none, is left alone.

    A record that is lost is written again. Where the hashes are lost nothing can be believed: it then begins anew. A
    checkpoint that is lost stays lost, but for the final one, which is written again from the state.

    Raises:
        RunFailed: another process is pre-training there, or a file cannot be moved.
    """
    identity, mine = identity_of(record), same_record(out, record)
    if not os.path.lexists(out / seals.HASHES) and not (mine and os.path.lexists(out / STATE)):
        return

    try:
        known = pretrained.listed(out, identity)
    except Damaged:
        if not mine:
            return  # whose it is cannot be told: what is there is left alone, and refused
        known = None
    ledger = Ledger(out, tell)
    with ledger.claim(out, patience=0):
        if known is None:
            begin_anew(ledger, f"{seals.shown(out / seals.HASHES)} is damaged or gone")
            return
        for part in sorted({name.partition("/")[0] for name in known}):
            try:
                pretrained.check(known, out, part)
            except Damaged as error:
                _heal_part(ledger, part, error, record)


def check_tokenizer(out: Path, record: dict[str, Any], tell: Tell) -> bool:
    """Return whether a tokenizer that was made again is the one that was used; where not, it all begins anew."""
    known = pretrained.listed(out, identity_of(record))
    if known is None or not any(name.startswith(f"{TOKENIZER}/") for name in known):
        pretrained.seal(out, identity_of(record), RECORD, TOKENIZER)
        return True
    try:
        pretrained.check(known, out, TOKENIZER)
    except Damaged:
        ledger = Ledger(out, tell)
        with ledger.claim(out, patience=0):
            begin_anew(ledger, f"the tokenizer in {seals.shown(out)} was lost and is now another")
        return False
    return True


def begin_anew(ledger: Ledger, why: str) -> None:
    """Set aside all of a pre-training."""
    ledger.set_aside([ledger.out / part for part in pretrained.parts_of(ledger.out)], f"{why}: it begins anew")


def _heal_part(ledger: Ledger, part: str, error: Damaged, record: dict[str, Any]) -> None:
    out, identity = ledger.out, identity_of(record)
    if os.path.lexists(out / part):
        ledger.set_aside([out / part], error.parts[0])
    else:
        ledger.tell(error.parts[0])
    with ledger.disk():
        if part == RECORD and pretrained.parts_of(out) != [seals.HASHES]:
            write_record(out, record)
            pretrained.seal(out, identity, RECORD)
        elif part.startswith("step-"):
            pretrained.seal(out, identity, part)  # it is not there, and no longer listed
            ledger.tell(f"{seals.shown(out / part)} is lost: it is made again only if all begins anew")
