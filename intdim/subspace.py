"""Training inside a random subspace: theta = theta_0 + S P z, for any ``nn.Module``, without wrapping it.

The weights become views into one flat buffer, which ``write()`` fills from z. Their gradients are mapped back to z
tensor by tensor, as soon as backward has them, and freed; ``read_grad()`` adds these parts up, however many backward
passes are accumulated. Where that would cost more than it saves (``projections/tensors.py``), gradients are views into
a flat buffer too, and ``read_grad()`` maps it back at once.

    sub = Subspace(model, d=1000, projection="fastfood", method="said")
    opt = torch.optim.AdamW(sub.parameters(), lr=step_length / d**0.5, weight_decay=0.0)
    sub.write(); loss(model(x)).backward(); sub.read_grad(); opt.step(); opt.zero_grad()

DID (Li et al. 2018): S = I. SAID (Aghajanyan et al. 2020): one scale per group of weights, initially 1, counted in d.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from intdim.errors import UserError, suggest
from intdim.kernels.agreement import AT_ONCE, AT_ONCE_ON_GPU, Agreement, Sums
from intdim.kernels.flow import Scaling
from intdim.kernels.rounding import Rounding
from intdim.parameters import Group, Groups, ParameterTable
from intdim.projections import Projection, make_projection, make_stacked
from intdim.projections.tensors import RUN, TensorSums, runs_of, worth_it
from intdim.spec import METHODS, SCOPES

LOG = logging.getLogger(__name__)
PIECES = {  # scope -> the groups of weights with a P of their own, and which coordinates a short one sees
    "layer": ("layer", "first"),
    "tensor": ("tensor", "first"),
    "tensor_turns": ("tensor", "turns"),
}
INSIDE = tuple(name for name in METHODS if name != "full")  # full fine-tuning has no subspace


class Subspace:
    """A d-dimensional random affine subspace through the present weights of a model.

    Args:
        model: any module, already on its device; its trainable floating-point weights, all of one dtype and device,
            are moved into a flat buffer and remain the module's own ``nn.Parameter`` objects.
        d: how many numbers are trained, scales included; 1 <= d <= D, and d > m for SAID.
        projection: P, as a name in ``intdim.projections.PROJECTIONS`` or as a subclass of
            ``intdim.projections.Projection``.
        method: ``did`` or ``said``.
        scope: the weights that one P covers: ``global`` is all of them; ``layer`` and ``tensor`` give each layer or
            tensor an independent P, of which one with fewer weights than coordinates sees only the first coordinates,
            as in the authors' code; under ``tensor_turns`` such tensors see one after the other the next coordinates.
        groups: the weights that share a scale under SAID: ``layer``, ``module`` or ``tensor``; or a function that
            returns a group's name for a weight's name; or shell patterns, ``{group: pattern or patterns}`` or a list
            with one for each group, of which the first that matches counts.
        seed: decides P.
        exclude: shell patterns on weight names; matching weights are frozen and not counted in D.
        rounding: how the weights are rounded when they are written; by default to what their dtype holds.
        dtype: of the weights, ``torch.bfloat16`` say; by default the model's own. Weights outside the subspace and
            buffers keep theirs.
        base_dtype: of theta_0, which is rounded to it; by default the model's own.

    Attributes:
        z: (d - m,) coordinates, initially 0.
        scales: (m,) initially 1, or None for DID.
        theta: (D,) the weights, in the dtype that was asked for.
        theta_0: (D,) the weights that the model had.
        gradient: (D,) the gradients of the weights, in their dtype; None where they are reduced tensor by tensor.
        projection: P.
        D: weights inside the subspace.
        d: as given.
        num_groups: m, the number of scales; 0 for DID.

    Memory between steps in float32: 8 bytes per weight (theta, which replaces the model's own weights, and theta_0),
    in addition to the state of P, see ``projection.state_bytes``, and d numbers per tensor; with theta in bfloat16 6,
    with theta_0 too 4. With a flat gradient 4 bytes more (2 in bfloat16), and as many again for SAID (P z).

    Raises:
        UserError: an unknown name, a d that does not fit, or weights of several dtypes or devices.
    """

    def __init__(
        self,
        model: nn.Module,
        d: int,
        projection: str | type[Projection] = "fastfood",
        method: str = "did",
        scope: str = "global",
        groups: Groups = "layer",
        seed: int = 0,
        exclude: Sequence[str] = (),
        rounding: Rounding | None = None,
        dtype: torch.dtype | None = None,
        base_dtype: torch.dtype | None = None,
    ) -> None:
        if method not in INSIDE:
            raise UserError(f"unknown method {method!r}", suggest(method, INSIDE), "Choose one of these.")
        if scope not in SCOPES:
            raise UserError(f"unknown scope {scope!r}", suggest(scope, SCOPES), "Choose one of these.")

        self.table = ParameterTable.of(model, exclude)
        self.method, self.scope, self.seed, self.D = method, scope, seed, self.table.D
        self._groups = groups if isinstance(groups, str) else "function" if callable(groups) else "patterns"
        self._projection = projection if isinstance(projection, str) else projection.__name__
        self.rounding, self._step = rounding, 0
        self.d = _integer(d, self.D)
        made = self.table.groups(groups)
        self.num_groups = len(made) if method == "said" else 0
        self._check(self.d, made)
        if self.num_groups == 1:
            LOG.warning("all weights are one group (groups=%s): SAID then has a single scale", self._groups)

        named = dict(model.named_parameters())
        self._weights = [named[entry.name] for entry in self.table.entries]
        first = self._weights[0]
        self._check_alike(first)
        inside = {entry.name for entry in self.table.entries}
        for name, weight in named.items():
            weight.requires_grad_(name in inside)
        self._attach(dtype or first.dtype, base_dtype or first.dtype)

        self.projection = self._make_projection(projection, scope, seed)
        working = torch.float64 if self.theta.dtype == torch.float64 else torch.float32
        self.z = nn.Parameter(torch.zeros(self.d - self.num_groups, dtype=working, device=self.theta.device))
        self.scales: nn.Parameter | None = None
        self._slices = [(number, start, stop) for number, group in enumerate(made) for start, stop in group.slices]
        if method == "said":
            self.scales = nn.Parameter(torch.ones(self.num_groups, dtype=working, device=self.theta.device))
        self._segments: tuple[Tensor, Tensor, tuple[int, ...]] | None = None

        self.gradient: Tensor | None = None
        self._image: Tensor | None = (
            None  # P z of the last write(), which the gradient of the scales needs if it is flat
        )
        self._sums: TensorSums | None = None
        together = RUN if self.theta.device.type == "cuda" else 1
        ends = {stop for _, _, stop in self._slices} if self.scales is not None else set()
        runs = runs_of([weight.numel() for weight in self._weights], together, ends)
        if worth_it(self.projection, len(runs)):
            self._sums = TensorSums(self.projection, self._weights, runs)
            self._members = self._membership()
        else:
            self.gradient = torch.zeros_like(self.theta)
            self._point_at_gradient()

    def __repr__(self) -> str:
        said = f", m={self.num_groups} (groups={self._groups})" if self.method == "said" else ""
        return (
            f"Subspace(d={self.d} of D={self.D}{said}, method={self.method}, projection={self._projection}, "
            f"scope={self.scope}, seed={self.seed}, {str(self.theta.dtype).removeprefix('torch.')} "
            f"on {self.theta.device})"
        )

    def parameters(self) -> list[nn.Parameter]:
        """Return what an optimiser trains: [z], or [z, scales] for SAID; neither should have weight decay."""
        return [self.z] if self.scales is None else [self.z, self.scales]

    @torch.no_grad()
    def write(self, step: int = 0) -> None:
        """Write theta_0 + S P z to the model's weights. At z = 0 that is theta_0, bit for bit, unless it is rounded.

        Args:
            step: of the training; stochastic rounding has other random numbers in each.

        Raises:
            UserError: the model was moved or converted in the meantime, so that its weights are elsewhere.
        """
        self._check_attached()
        self._step = step
        if self.scales is not None and self._image is None and self.gradient is not None:
            self._image = torch.empty_like(self.theta, dtype=self.z.dtype)

        if self.rounding is None or self.theta.dtype == torch.float32:
            exact = self.theta  # rounded by its dtype, or in place
        else:
            exact = torch.empty_like(self.theta, dtype=self.z.dtype)
        self.projection.write(self.z, self.theta_0, exact, self._scaling(), self._image)
        if self.rounding is not None:
            self.rounding.apply(exact, step)
        if exact is not self.theta:
            self.theta.copy_(exact)

    @torch.no_grad()
    def read_grad(self) -> None:
        """Add P^T S g to the gradient of z, and for SAID the inner product of P z and g over each group to that of its
        scale; then clear the gradients g of the weights.

        Gradients accumulate as usual, so one call is enough for any number of backward passes. Those that were reduced
        tensor by tensor are no longer in the weights: only this call clears them, not ``zero_grad`` of the model.

        Raises:
            UserError: the model was moved or converted in the meantime, so that its weights are elsewhere.
        """
        self._check_attached()
        if self._sums is None:
            self._read_flat()
            return

        sums = self._sums.collect()
        if self.scales is None:
            _add_to_grad(self.z, sums.sum(0))
        else:  # <P z, g> over a group is <z, P^T g> of its tensors
            _add_to_grad(self.scales, self._members @ (sums @ self.z.detach()))
            _add_to_grad(self.z, (self.scales.detach() @ self._members) @ sums)
        self._sums.clear()

    @torch.no_grad()
    def reduce_grad(self) -> None:
        """Reduce the gradients that a backward pass has left, where they are reduced tensor by tensor.

        ``read_grad`` does that too; a CUDA graph of a backward pass alone must end with it.
        """
        if self._sums is not None:
            self._sums.collect()

    @torch.no_grad()
    def forget_grad(self) -> None:
        """Clear the gradients of the weights without using them."""
        if self._sums is None:
            assert self.gradient is not None
            self.gradient.zero_()
            self._point_at_gradient()
        else:
            self._sums.clear()

    @torch.no_grad()
    def agreement(self, autocast: torch.dtype | None = None) -> Agreement:
        """Return how the update that the forward pass sees agrees with S P z, after ``write()``.

        P z is computed once more, into the memory of the weights, which then get the same values as before; only
        weights of half precision need another 4 bytes each for it.

        Args:
            autocast: the dtype in which the forward pass uses the weights, if not their own.

        Raises:
            UserError: the model was moved or converted in the meantime, so that its weights are elsewhere.
        """
        self._check_attached()
        image = self.projection.matvec(self.z.detach(), self.theta if self.theta.dtype == self.z.dtype else None)
        scaling, sums = self._scaling(), Sums()
        at_once = AT_ONCE if self.theta.device.type == "cpu" else AT_ONCE_ON_GPU
        pieces = [(0, self.D, None)] if scaling is None else scaling.pieces(0, self.D)
        for first, last, factor in pieces:
            for start in range(first, last, at_once):
                here = slice(start, min(start + at_once, last))
                meant = image[here] if factor is None else image[here] * factor
                before, now = self.theta_0[here].to(self.z.dtype), self.theta_0[here] + meant
                at_zero = before.clone()
                if self.rounding is not None:
                    self.rounding.apply(now, self._step, start)
                    self.rounding.apply(at_zero, self._step, start)
                sums.add(meant, before, at_zero.to(autocast or self.theta.dtype), now.to(autocast or self.theta.dtype))
                self.theta[here] = now
        return sums.agreement()

    def state_dict(self) -> dict[str, Tensor]:
        """Return z and, for SAID, the scales: tensors that share memory with what is trained."""
        state = {"z": self.z.detach()}
        return state if self.scales is None else state | {"scales": self.scales.detach()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy z and scales from ``state``; call ``write()`` afterwards."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])

    # ------------------------------------------------------------------------------------------------------------------

    def _check(self, d: int, groups: list[Group]) -> None:
        if d < 1:
            raise UserError(f"d={d}", f"d must be an integer from 1 to D={self.D}", "Raise d.")
        if d > self.D:
            raise UserError(
                f"d={d} exceeds D={self.D}, the parameters inside the subspace",
                f"d must be an integer from 1 to D={self.D}",
                "Lower d, or exclude fewer parameters.",
            )
        if self.method == "said" and d <= self.num_groups:
            first = ", ".join(group.name for group in groups[:3]) + (", ..." if len(groups) > 3 else "")
            raise UserError(
                f"SAID with m={self.num_groups} groups ({first}) leaves nothing of d={d} for z: "
                "the scales are counted in d",
                f"d must be larger than m={self.num_groups}",
                "Raise d, or choose coarser groups (tensor, module, layer: from fine to coarse).",
            )

    def _check_alike(self, first: Tensor) -> None:
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            if weight.dtype != first.dtype or weight.device != first.device:
                raise UserError(
                    f"{entry.name} is {weight.dtype} on {weight.device}, {self.table.entries[0].name} is "
                    f"{first.dtype} on {first.device}",
                    "all weights must be of one dtype on one device",
                    "Convert the model first, or exclude the weights that differ.",
                )

    def _make_projection(self, projection: str | type[Projection], scope: str, seed: int) -> Projection:
        columns, device = self.d - self.num_groups, str(self.theta.device)
        if scope == "global":
            return make_projection(projection, self.D, columns, seed, device)
        kind, sharing = PIECES[scope]
        sizes = [group.numel for group in self.table.groups(kind)]
        return make_stacked(projection, sizes, columns, seed, device, sharing)

    def _scaling(self) -> Scaling | None:
        """Return S, the scale of each segment of the weights; None for DID."""
        if self.scales is None:
            return None
        if self._segments is None:
            ordered = sorted((start, number) for number, start, stop in self._slices if stop > start)
            starts, numbers = zip(*ordered, strict=True)
            device = self.theta.device
            self._segments = torch.tensor(starts, device=device), torch.tensor(numbers, device=device), starts
        starts, numbers, bounds = self._segments
        return Scaling(starts, self.scales.detach()[numbers], bounds)

    @torch.no_grad()
    def _attach(self, dtype: torch.dtype, base_dtype: torch.dtype) -> None:
        """Move the weights into a flat buffer, and copy them into theta_0; gradients are cleared."""
        device = self._weights[0].device
        self.theta = torch.empty(self.D, dtype=dtype, device=device)
        self.theta_0 = torch.empty(self.D, dtype=base_dtype, device=device)
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            self.theta_0[entry.place].view(entry.shape).copy_(weight)
            place = self.theta[entry.place].view(entry.shape)
            place.copy_(self.theta_0[entry.place].view(entry.shape))
            weight.grad = None
            weight.data = place

    def _point_at_gradient(self) -> None:
        """Let the weights accumulate their gradients in the flat buffer."""
        assert self.gradient is not None
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            weight.grad = self.gradient[entry.place].view(entry.shape)

    def _membership(self) -> Tensor:
        """Return which runs of tensors each scale is for, as ones in a matrix of shape ``(m, runs)``."""
        assert self._sums is not None
        starts, runs = self._sums.starts, self._sums.runs
        members = torch.zeros(self.num_groups, len(runs), dtype=self.z.dtype, device=self.z.device)
        for number, start, stop in self._slices if self.scales is not None else []:
            for column, run in enumerate(runs):
                if start <= starts[run.start] and starts[run.stop] <= stop:
                    members[number, column] = 1
        return members

    def _read_flat(self) -> None:
        """``read_grad`` from the flat gradient."""
        gradient = self._collect()
        if self.scales is not None:
            image = self._image if self._image is not None else self.projection.matvec(self.z.detach())
            products = torch.zeros_like(self.scales)
            for number, start, stop in self._slices:
                products[number] += torch.dot(image[start:stop], gradient[start:stop].to(image.dtype))
            _add_to_grad(self.scales, products)

        _add_to_grad(self.z, self.projection.read(gradient, self._scaling()))
        gradient.zero_()

    def _check_attached(self) -> None:
        start, size = self.theta.data_ptr(), self.theta.element_size()
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            if weight.data_ptr() != start + size * entry.offset and entry.numel:
                raise UserError(
                    f"{entry.name} has left the subspace: the model was moved or converted after Subspace was made",
                    "model.to(...) must come before Subspace(model, ...)",
                    "Make the Subspace again.",
                )

    def _collect(self) -> Tensor:
        """Return the flat gradient, with gradients that autograd put elsewhere (after ``zero_grad``) copied into it."""
        assert self.gradient is not None
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            place = self.gradient[entry.place]
            if weight.grad is None or weight.grad.data_ptr() != place.data_ptr():
                if weight.grad is None:
                    place.zero_()
                else:
                    place.copy_(weight.grad.reshape(-1))
                weight.grad = place.view(entry.shape)
        return self.gradient


def _integer(d: object, D: int) -> int:
    """Return d as an integer; a float that is a whole number is accepted."""
    try:
        value = int(d)  # type: ignore[call-overload]
        if isinstance(d, bool) or value != d:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"d={d!r}", f"d must be an integer from 1 to D={D}", "Pass an integer.") from None
    return value


def _add_to_grad(weight: nn.Parameter, value: Tensor) -> None:
    if weight.grad is None:
        weight.grad = value.to(weight.dtype)
    else:
        weight.grad += value.to(weight.dtype)
