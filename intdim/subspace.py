"""Training inside a random subspace: theta = theta_0 + S P z, for any ``nn.Module``, without wrapping it.

The weights become views into one flat buffer, their gradients views into another. ``write()`` fills the first from z,
``read_grad()`` maps the second back to z: one product and one pass over memory each way per optimiser step, however
many backward passes are accumulated.

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
from intdim.kernels.flow import Scaling
from intdim.parameters import Group, Groups, ParameterTable
from intdim.projections import Projection, make_projection, make_stacked
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

    Attributes:
        z: (d - m,) coordinates, initially 0.
        scales: (m,) initially 1, or None for DID.
        theta: (D,) the weights, in their own dtype, as are theta_0 and gradient.
        theta_0: (D,) the weights that the model had.
        gradient: (D,) the gradients of the weights.
        projection: P.
        D: weights inside the subspace.
        d: as given.
        num_groups: m, the number of scales; 0 for DID.

    Memory in float32: 12 bytes per weight (theta, which replaces the model's own weights, theta_0 and the gradient),
    and 4 more for SAID (P z), in addition to the state of P, see ``projection.state_bytes``.

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
    ) -> None:
        if method not in INSIDE:
            raise UserError(f"unknown method {method!r}", suggest(method, INSIDE), "Choose one of these.")
        if scope not in SCOPES:
            raise UserError(f"unknown scope {scope!r}", suggest(scope, SCOPES), "Choose one of these.")

        self.table = ParameterTable.of(model, exclude)
        self.method, self.scope, self.seed, self.D = method, scope, seed, self.table.D
        self._groups = groups if isinstance(groups, str) else "function" if callable(groups) else "patterns"
        self._projection = projection if isinstance(projection, str) else projection.__name__
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
        self._attach(first)

        self.projection = self._make_projection(projection, scope, seed)
        dtype = torch.float64 if first.dtype == torch.float64 else torch.float32
        self.z = nn.Parameter(torch.zeros(self.d - self.num_groups, dtype=dtype, device=first.device))
        self.scales: nn.Parameter | None = None
        self._slices = [(number, start, stop) for number, group in enumerate(made) for start, stop in group.slices]
        if method == "said":
            self.scales = nn.Parameter(torch.ones(self.num_groups, dtype=dtype, device=first.device))
        self._image: Tensor | None = None  # P z of the last write(), kept for SAID: the scales' gradient needs it
        self._segments: tuple[Tensor, Tensor, tuple[int, ...]] | None = None

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
    def write(self) -> None:
        """Write theta_0 + S P z to the model's weights. At z = 0 that is theta_0, bit for bit.

        Raises:
            UserError: the model was moved or converted in the meantime, so that its weights are elsewhere.
        """
        self._check_attached()
        if self.scales is not None and self._image is None:
            self._image = torch.empty_like(self.theta, dtype=self.z.dtype)
        self.projection.write(self.z, self.theta_0, self.theta, self._scaling(), self._image)

    @torch.no_grad()
    def read_grad(self) -> None:
        """Add P^T S g to the gradient of z, and for SAID the inner product of P z and g over each group to that of its
        scale; then clear the gradients g of the weights.

        Gradients accumulate in the weights as usual, so one call is enough for any number of backward passes.

        Raises:
            UserError: the model was moved or converted in the meantime, so that its weights are elsewhere.
        """
        self._check_attached()
        gradient = self._collect()
        if self.scales is not None:
            image = self._image if self._image is not None else self.projection.matvec(self.z.detach())
            products = torch.zeros_like(self.scales)
            for number, start, stop in self._slices:
                products[number] += torch.dot(image[start:stop], gradient[start:stop].to(image.dtype))
            _add_to_grad(self.scales, products)

        _add_to_grad(self.z, self.projection.read(gradient, self._scaling()))
        self.gradient.zero_()

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
    def _attach(self, like: Tensor) -> None:
        """Move the weights and their gradients into flat buffers of the dtype and device of ``like``."""
        self.theta = torch.empty(self.D, dtype=like.dtype, device=like.device)
        self.gradient = torch.zeros_like(self.theta)
        for entry, weight in zip(self.table.entries, self._weights, strict=True):
            place = self.theta[entry.place].view(entry.shape)
            place.copy_(weight)
            weight.data = place
            weight.grad = self.gradient[entry.place].view(entry.shape)

        self.theta_0 = self.theta.clone()

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
