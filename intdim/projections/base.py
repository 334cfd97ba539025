"""The contract of a projection: a D x d matrix P with unit columns, made from a seed, used only in products."""

from __future__ import annotations

import operator
from typing import Any, ClassVar

import torch
from torch import Tensor

from intdim.errors import UserError
from intdim.kernels import gpu, native
from intdim.kernels.flow import Destination, Gradient, Scaling

LARGEST_D = 1 << 40  # i * d + j then fits in 63 bits with d up to 2^22; no memory holds that many weights
ELEMENTS_AT_ONCE = 1 << 18  # a chunk of this many float32 (1 MiB) and its scratch stay in the processor's cache


class Projection:
    """P in R^{D x d}, regenerated from ``(name, D, d, seed)`` and immutable.

    A subclass has a ``name``, makes what it stores in ``_build``, and has the product ``_matvec`` and the adjoint
    ``_rmatvec`` (or ``_write`` and ``_read``, which can save a pass over memory). This class does shapes, dtypes and
    errors. All random numbers come from ``intdim.kernels.streams``. Limits that decide how P is made are attributes of
    the class, so that a subclass can have others.

    Products run in float32 or float64, whichever the input has; bfloat16 and half inputs are computed in float32 and
    rounded at the end. NaN and infinities in the input reach every output that depends on them, and possibly others
    (through 0 * inf and the mixing of blocks). Nothing is recorded for autograd: the gradient of
    ``z -> f(theta_0 + P z)`` is ``rmatvec`` of f's gradient.

    A piece of a stacked projection may have fewer rows than columns (D < d): its columns then have unit length in
    expectation. ``make_projection`` refuses that.

    Args:
        D: rows, the number of weights.
        d: columns, the number of coordinates.
        seed: decides P; torch's own random state is neither used nor changed.
        device: where the state lives and the inputs must be.
        elements_at_once: numbers computed at a time; changes speed and rounding, never P.
    """

    name: ClassVar[str]
    compiled: ClassVar[bool] = False  # has products in C, see kernels/native.py
    by_rows: ClassVar[bool] = False  # the adjoint of some rows costs no more than their share
    triton: ClassVar[bool] = False  # has Triton kernels, which accept half-precision weights too, see kernels/gpu.py

    def __init__(
        self,
        D: int,
        d: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        elements_at_once: int = ELEMENTS_AT_ONCE,
    ) -> None:
        self.D = D
        self.d = d
        self.seed = seed
        self.device = torch.device(device)
        self.elements_at_once = elements_at_once
        self._build()

    def matvec(self, z: Tensor, out: Tensor | None = None) -> Tensor:
        """Return P z, shape ``(D,)``, in the dtype of ``z``, shape ``(d,)``.

        Args:
            z: the coordinates.
            out: a contiguous tensor for the result, ``(D,)``, dtype of ``z``; a new one by default.

        Raises:
            UserError: a wrong shape, an integer or complex dtype, another device, or an ``out`` that does not fit.
        """
        _check_vector(z, "z", self.d, "d", self)
        if out is not None:
            _check_vector(out, "out", self.D, "D", self)
            if out.dtype != z.dtype or not out.is_contiguous():
                raise UserError(
                    f"out has dtype {out.dtype} and strides {out.stride()}, z has dtype {z.dtype}.",
                    "out must be contiguous and have the dtype of z.",
                    "Omit out, or make it with z.new_empty(D).",
                )

        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            z_work = z.detach().to(work_dtype(z.dtype)).contiguous()
            if out is not None and out.dtype == z_work.dtype:
                self._write(z_work, Destination(out))
                return out
            made = torch.empty(self.D, dtype=z_work.dtype, device=z.device)
            self._write(z_work, Destination(made))
            return made.to(z.dtype) if out is None else out.copy_(made)

    def rmatvec(self, g: Tensor) -> Tensor:
        """Return P^T g, shape ``(d,)``, in the dtype of ``g``, shape ``(D,)``.

        Raises:
            UserError: a wrong shape, an integer or complex dtype, or another device.
        """
        _check_vector(g, "g", self.D, "D", self)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            g_work = g.detach().to(work_dtype(g.dtype)).contiguous()
            return self._read(Gradient(g_work)).to(g.dtype)

    def write(
        self,
        z: Tensor,
        theta_0: Tensor,
        out: Tensor,
        scaling: Scaling | None = None,
        image: Tensor | None = None,
    ) -> None:
        """Write ``theta_0 + S P z`` into ``out`` in one pass over memory: theta_0 is read, theta written.

        Args:
            z: the coordinates, shape ``(d,)``, float32 or float64.
            theta_0: shape ``(D,)``, contiguous.
            out: shape ``(D,)``, contiguous, not sharing the memory of ``theta_0``, of any floating-point dtype: what is
                computed in the dtype of ``z`` is rounded to it.
            scaling: S; the identity by default.
            image: receives P z if given, shape ``(D,)``, dtype of ``z``.

        Raises:
            UserError: a wrong shape, dtype or device of ``z``.
        """
        _check_vector(z, "z", self.d, "d", self)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            z = z.detach().contiguous()
            alike = out.dtype == z.dtype == theta_0.dtype
            if alike or (self.triton and gpu.supports(z, theta_0, out, image)):
                self._write(z, Destination(out, theta_0, image, scaling))
                return
            made = torch.empty(self.D, dtype=z.dtype, device=z.device) if image is None else image
            self._write(z, Destination(made))
            Destination(out, theta_0, None, scaling).put(0, made)

    def read(self, g: Tensor, scaling: Scaling | None = None) -> Tensor:
        """Return P^T S g, shape ``(d,)``, in one pass over ``g``, shape ``(D,)``; S is the identity by default.

        The result is float64 if ``g`` is, and float32 otherwise.

        Raises:
            UserError: a wrong shape, dtype or device of ``g``.
        """
        _check_vector(g, "g", self.D, "D", self)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            return self._read(Gradient(self._readable(g), scaling))

    def read_rows(self, g: Tensor, start: int) -> Tensor:
        """Return what rows ``start`` to ``start + n`` add to P^T g, shape ``(d,)``.

        ``g``, shape ``(n,)``, is the gradient of these weights alone.

        So the sum of the windows that cover all rows is P^T g, to rounding. The result is float64 if ``g`` is, and
        float32 otherwise. The order of the sums depends on the window alone.

        Raises:
            UserError: rows that P does not have, or a wrong dtype or device of ``g``.
        """
        if not 0 <= start <= start + g.numel() <= self.D:
            raise UserError(
                f"rows {start} to {start + g.numel()} of D={self.D}",
                f"Rows are numbered from 0 to D={self.D}.",
                "Pass the gradient of one tensor, and its offset.",
            )
        _check_vector(g, "g", g.numel(), "n", self)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            g = self._readable(g)
            return self._read_rows(g, start) if g.numel() else g.new_zeros(self.d, dtype=work_dtype(g.dtype))

    def to_dense(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return P itself, shape ``(D, d)``, by one product per column: for tests and for inspection."""
        columns = []
        for j in range(self.d):
            unit = torch.zeros(self.d, dtype=dtype, device=self.device)
            unit[j] = 1
            columns.append(self.matvec(unit))
        return torch.stack(columns, dim=1)

    @property
    def engine(self) -> str:
        """What computes the products in float32, as text for a log."""
        if self.device.type == "cuda":
            return gpu.reason() if self.triton else "torch"
        return native.reason() if self.compiled else "torch"

    @property
    def state_bytes(self) -> int:
        """Bytes held between products."""
        return _held_bytes(vars(self))

    def _readable(self, g: Tensor) -> Tensor:
        """Return a gradient in one piece, in the dtype that the products work in unless a kernel converts it."""
        g = g.detach().contiguous()
        work = work_dtype(g.dtype)
        in_kernel = self.triton and gpu.supports(g.new_empty(0, dtype=work), g)
        return g if g.dtype == work or in_kernel else g.to(work)

    def _build(self) -> None:
        """Make what is stored, from ``D``, ``d``, ``seed`` and ``device``; nothing by default."""

    def _write(self, z: Tensor, to: Destination) -> None:
        """Write P z to ``to``; ``z`` is contiguous. Subclasses have this and ``_read``, or ``_matvec`` and
        ``_rmatvec``."""
        values = to.buffer(0, self.D, z)
        self._matvec(z, values)
        to.put(0, values)

    def _read(self, source: Gradient) -> Tensor:
        """Return P^T S g, shape ``(d,)``; g is contiguous and must not be changed."""
        return self._rmatvec(source.take(0, self.D))

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        """Return P^T of a gradient that is ``g`` from row ``start`` on, and zero elsewhere: the definition. A subclass
        that has a shorter way sets ``by_rows``."""
        padded = g.new_zeros(self.D)
        padded[start : start + g.numel()] = g
        return self._read(Gradient(padded))

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        """Write P z into ``out`` (contiguous, shape ``(D,)``, possibly uninitialised); ``z`` is contiguous."""
        raise NotImplementedError

    def _rmatvec(self, g: Tensor) -> Tensor:
        """Return P^T g, shape ``(d,)``; ``g`` is contiguous, shape ``(D,)``, and must not be changed."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(D={self.D}, d={self.d}, seed={self.seed}, device='{self.device}')"


def checked_count(value: Any, name: str) -> int:
    """Return ``value`` as a plain integer.

    Raises:
        UserError: it is not an integer (a float is refused even if it is a whole number).
    """
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(
            f"{name}={value!r} is a {type(value).__name__}.", f"{name} must be an integer.", f"Pass int({name})."
        ) from None


def checked_device(device: torch.device | str) -> torch.device:
    """Return ``device`` as torch's type.

    Raises:
        UserError: torch does not know the name, or it is a CUDA device and there is none.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise UserError(
            f"torch does not know device={device!r}.", "Known: cpu, cuda, cuda:0.", "Choose one of them."
        ) from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"device='{found}', but torch finds no CUDA device.", "This machine has: cpu.", "Pass device='cpu'."
        )
    return found


def check_sizes(D: int, d: int) -> None:
    """Check ``1 <= d <= D``.

    Raises:
        UserError: it does not hold, or D is larger than an index can be.
    """
    allowed = f"d must be an integer from 1 to D={D}."
    if d < 1:
        raise UserError(f"d={d} is below 1.", allowed, "Raise d (search.d_min).")
    if d > D:
        raise UserError(
            f"d={d} exceeds D={D}, the parameters inside the subspace.",
            allowed,
            "Lower d (search.d_max) or include more parameters.",
        )
    if D > LARGEST_D:
        raise UserError(f"D={D} is larger than an index can be.", f"D must be at most {LARGEST_D}.", "Lower D.")


def work_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which numbers of ``dtype`` are computed: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _check_vector(value: Tensor, name: str, size: int, size_name: str, projection: Projection) -> None:
    if not isinstance(value, Tensor):
        raise UserError(
            f"{name} is a {type(value).__name__}.",
            f"{name} must be a tensor of shape ({size},).",
            "Use torch.as_tensor.",
        )
    if value.shape != (size,):
        raise UserError(
            f"{name} has shape {tuple(value.shape)}.",
            f"{name} must have shape ({size},): one axis of {size_name}={size} numbers.",
            f"Pass {name}.reshape(-1) if only the shape is wrong.",
        )
    if not value.dtype.is_floating_point:
        raise UserError(
            f"{name} has dtype {value.dtype}.",
            f"{name} must be of a floating-point dtype: float32, float64, bfloat16 or float16.",
            f"Convert it: {name}.float().",
        )
    if value.device.type != projection.device.type or projection.device.index not in (None, value.device.index):
        raise UserError(
            f"{name} is on {value.device}, the projection on {projection.device}.",
            "Both must be on the same device.",
            f"Move {name}, or make the projection with device='{value.device}'.",
        )


def _held_bytes(value: Any) -> int:
    """Return the bytes of all tensors in a value of ours, however nested."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, (list, tuple)):
        return sum(_held_bytes(item) for item in value)
    if isinstance(value, dict):
        return sum(_held_bytes(item) for item in value.values())
    if type(value).__module__.startswith("intdim."):
        return _held_bytes(vars(value))
    return 0
