"""What one certificate says: ``certificate.json``, as a type with one reader and writer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intdim import seals
from intdim.ledger.records import read_record
from intdim.seals import Damaged
from intdim.spec import LAYOUT_VERSION, to_dict

CERTIFICATE_FILE = "certificate.json"
OTHERS = ("message.bin", "model.safetensors")


@dataclass(frozen=True)
class Certificate:
    """The content of ``certificate.json``, in the order of its fields. Errors are shares of examples in [0, 1].

    Attributes:
        run_id: the run whose z was quantised.
        model: what theta_0 is called.
        model_source: ``builtin``, ``hub``, ``local``, or ``random`` where theta_0 was drawn at random.
        task_source: ``builtin``, ``hub`` or ``local``.
        task: what the task is called.
        method: ``did`` or ``said``.
        projection: name of P.
        scope: what one P covers.
        d: trained numbers, the scales of SAID included.
        D: weights inside the subspace.
        step_length: of the run, s = lr sqrt(d).
        seed: of the run; it decides the projection and the head, and is part of the message.
        n: training examples.
        delta: probability with which the certificate may fail.
        bits: length of the message.
        account: the bits by what they say.
        bits_per_coordinate: bits over d.
        quantisation: how z was quantised, in words.
        levels: of the codebook of z.
        level_values: their values, ascending.
        candidates: different messages that were compared before any training under quantisation.
        train_error: of the decoded model on all training examples.
        train_error_unquantised: the same for the run's own z.
        occam_binomial: bound on the population error by the binomial tail.
        occam_kl: bound by the relative entropy.
        occam_hoeffding: bound by Hoeffding's inequality.
        catoni: bound of Catoni's form.
        majority_error_train: error on the training split of always answering the commonest training label.
        majority_error_eval: the same on the evaluation split.
        eval_error: of the decoded model on the examples of the evaluation split that are scored.
        eval_examples: how many these are.
        selection: ``half`` or ``same``: whether they also chose the step.
        eval_bound: bound on the population error by these examples alone, at the same delta.
        relative_gap: training less evaluation accuracy of the decoded model, over the evaluation error; None where
            the evaluation error is 0.
        trend: sqrt(d / n), which is no bound.
        certificate: the bound that counts, of the form ``form``.
        form: name of the field it is taken from.
        beats_majority: the certificate is below both majority errors.
    """

    run_id: str
    model: str
    model_source: str
    task_source: str
    task: str
    method: str
    projection: str
    scope: str
    d: int
    D: int
    step_length: float
    seed: int
    n: int
    delta: float
    bits: int
    account: dict[str, float]
    bits_per_coordinate: float
    quantisation: str
    levels: int
    level_values: list[float]
    candidates: int
    train_error: float
    train_error_unquantised: float
    occam_binomial: float
    occam_kl: float
    occam_hoeffding: float
    catoni: float
    majority_error_train: float
    majority_error_eval: float
    eval_error: float
    eval_examples: int
    selection: str
    eval_bound: float
    relative_gap: float | None
    trend: float
    certificate: float
    form: str
    beats_majority: bool

    def write(self, folder: Path) -> None:
        """Put the certificate into its folder, beside what it speaks of."""
        seals.complete(folder, CERTIFICATE_FILE, to_dict(self), OTHERS, LAYOUT_VERSION)

    @classmethod
    def read(cls, folder: Path) -> Certificate | None:
        """Return the certificate in a folder; None where there is none or a damaged one, which can be made again."""
        try:
            return cls._whole(folder)
        except Damaged:
            return None

    @classmethod
    def make_room(cls, folder: Path, out: Path, tell: seals.Tell) -> None:
        """Make the folder ready for a certificate; a damaged one there is set aside under ``out``."""
        seals.make_folder(folder, out, tell)
        try:
            cls._whole(folder)
        except Damaged as error:
            seals.set_aside(list(folder.iterdir()), out, f"{error.parts[0]}: made again", tell)
        for name in (*OTHERS, seals.HASHES, CERTIFICATE_FILE):
            seals.room_for(folder / name, out, tell)

    @classmethod
    def _whole(cls, folder: Path) -> Certificate | None:
        """Return the certificate of a folder that is whole, None where it is not complete, else raise ``Damaged``."""
        found = read_record(cls, folder / CERTIFICATE_FILE)
        if found is not None:
            seals.check(folder, version=LAYOUT_VERSION)
        return found
