"""Geometry in whole numbers."""

from __future__ import annotations

import math
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Positive

Length = Annotated[int, Int(2, 9999)]
Edge = Annotated[int, Int(2, 300)]


@concept(
    "geometry.rectangle-area", "area of a rectangle",
    ["the area of a rectangle with sides {a} and {b}",
     "the area of the rectangle whose sides measure {a} and {b}",
     "the number of unit squares that tile a rectangle with width {a} and height {b}",
     "the area enclosed by a rectangle of width {a} and height {b}"],
    symbol="rect", level=2, weight=1.4, symmetric=True, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def rectangle_area(a: Length, b: Length) -> Positive:
    """Width times height."""
    return a * b


@rectangle_area.check
def _(a: int, b: int, value: int) -> bool:
    return (a + b) ** 2 - (a - b) ** 2 == 4 * value


@concept(
    "geometry.perimeter", "perimeter of a rectangle",
    ["the perimeter of a rectangle with sides {a} and {b}",
     "the length of the boundary of a rectangle with width {a} and height {b}",
     "the distance once around a rectangle with sides {a} and {b}",
     "the perimeter of the rectangle whose sides measure {a} and {b}"],
    symbol="perim", level=2, weight=1.4, symmetric=True,
    prerequisites=("arithmetic.add", "arithmetic.multiply"),
)  # fmt: skip
def perimeter(a: Length, b: Length) -> Worked[Positive]:
    """The length of the boundary of a rectangle."""
    yield f"{a} + {b} = {a + b}"
    yield f"2 * {a + b} = {2 * (a + b)}"
    return 2 * (a + b)


@perimeter.check
def _(a: int, b: int, value: int) -> bool:
    return value == sum((a, b, a, b))


@concept(
    "geometry.triangle-area", "area of a triangle",
    ["the area of a triangle with base {b} and height {h}",
     "the area of the triangle whose base is {b} and whose height is {h}",
     "half the area of a rectangle with sides {b} and {h}",
     "the area enclosed by a triangle of base {b} and height {h}"],
    symbol="triarea", level=3, weight=1.6, symmetric=True, prerequisites=("geometry.rectangle-area",),
)  # fmt: skip
def triangle_area(b: Length, h: Length) -> Worked[Positive]:
    """Half of base times height, where it is a whole number."""
    if b * h % 2:
        return None
    yield f"{b} * {h} = {b * h}"
    yield f"{b * h} / 2 = {b * h // 2}"
    return b * h // 2


@triangle_area.check
def _(b: int, h: int, value: int) -> bool:
    return value + value == b * h


@concept(
    "geometry.box-volume", "volume of a box",
    ["the volume of a box with edges {a}, {b} and {c}",
     "the volume of the cuboid whose edges measure {a}, {b} and {c}",
     "the number of unit cubes that fill a box with length {a}, width {b} and height {c}",
     "the volume of a cuboid of length {a}, width {b} and height {c}"],
    symbol="volume", level=4, weight=1.8, symmetric=True, prerequisites=("geometry.rectangle-area",),
)  # fmt: skip
def box_volume(a: Edge, b: Edge, c: Edge) -> Worked[Positive]:
    """Length times width times height."""
    yield f"{a} * {b} = {a * b}"
    yield f"{a * b} * {c} = {a * b * c}"
    return a * b * c


@box_volume.check
def _(a: int, b: int, c: int, value: int) -> bool:
    return value // c == a * b and value % c == 0


@concept(
    "geometry.box-surface", "surface of a box",
    ["the surface area of a box with edges {a}, {b} and {c}",
     "the surface of the cuboid whose edges measure {a}, {b} and {c}",
     "the total area of the six faces of a box with length {a}, width {b} and height {c}",
     "the surface area of a cuboid of length {a}, width {b} and height {c}"],
    symbol="surface", level=5, weight=2.0, symmetric=True, prerequisites=("geometry.rectangle-area",),
)  # fmt: skip
def box_surface(a: Edge, b: Edge, c: Edge) -> Worked[Positive]:
    """The area of the six faces of a box."""
    half = a * b + b * c + a * c
    yield f"{a} * {b} + {b} * {c} + {a} * {c} = {half}"
    yield f"2 * {half} = {2 * half}"
    return 2 * half


@box_surface.check
def _(a: int, b: int, c: int, value: int) -> bool:
    return value == (a + b + c) ** 2 - a * a - b * b - c * c


@concept(
    "geometry.hypotenuse-square", "Pythagorean theorem",
    ["the square of the hypotenuse of a right triangle with legs {a} and {b}",
     "the area of the square on the hypotenuse of a right triangle with legs {a} and {b}",
     "the squared distance between opposite corners of a rectangle with sides {a} and {b}",
     "the square of the diagonal of a rectangle with sides {a} and {b}",
     "the square of the hypotenuse of a right triangle whose legs measure {a} and {b}"],
    symbol="hyp2", level=5, weight=1.9, symmetric=True, prerequisites=("arithmetic.square",),
)  # fmt: skip
def hypotenuse_square(a: Edge, b: Edge) -> Worked[Positive]:
    """Sum of the squares of the legs of a right triangle."""
    yield f"{a} * {a} = {a * a}"
    yield f"{b} * {b} = {b * b}"
    yield f"{a * a} + {b * b} = {a * a + b * b}"
    return a * a + b * b


@hypotenuse_square.check
def _(a: int, b: int, value: int) -> bool:
    return value == (a + b) ** 2 - 2 * a * b


@concept(
    "geometry.third-angle", "angle sum of a triangle",
    ["the third angle in degrees of a triangle whose other angles measure {a} and {b} degrees",
     "the number of degrees left for the third angle of a triangle with angles {a} and {b}",
     "the missing angle of a triangle in which the other two measure {a} and {b}",
     "the third angle of a triangle with angles {a} and {b}, in degrees"],
    symbol="angle", level=3, weight=1.4, symmetric=True, prerequisites=("arithmetic.subtract",),
)  # fmt: skip
def third_angle(a: Annotated[int, Int(2, 150)], b: Annotated[int, Int(2, 150)]) -> Worked[Positive]:
    """What two angles of a triangle leave of 180 degrees."""
    if a + b > 178:
        return None
    yield f"{a} + {b} = {a + b}"
    yield f"180 - {a + b} = {180 - a - b}"
    return 180 - a - b


@third_angle.check
def _(a: int, b: int, value: int) -> bool:
    return a + b + value == 180 and value > 0


@concept(
    "geometry.diagonals", "diagonals of a polygon",
    ["the number of diagonals of a convex polygon whose number of sides is {n}",
     "how many diagonals a convex polygon with side count {n} has",
     "the number of segments that join corners of a convex polygon with {n} corners and are not its sides",
     "the count of diagonals in a convex polygon with {n} sides"],
    symbol="diag", level=5, weight=1.9, prerequisites=("combinatorics.handshakes",),
)  # fmt: skip
def diagonals(n: Annotated[int, Int(4, 150)]) -> Worked[Positive]:
    """How many segments join two corners of a polygon without being a side."""
    yield f"{n} * {n - 3} = {n * (n - 3)}"
    yield f"{n * (n - 3)} / 2 = {n * (n - 3) // 2}"
    return n * (n - 3) // 2


@diagonals.check
def _(n: int, value: int) -> bool:
    return value == math.comb(n, 2) - n


@concept(
    "geometry.angle-sum", "angle sum of a polygon",
    ["the sum in degrees of the interior angles of a polygon whose number of sides is {n}",
     "what the interior angles of a polygon with side count {n} add up to in degrees",
     "the interior angle sum in degrees of a polygon with {n} sides",
     "the total number of degrees in all interior angles of a polygon with {n} corners"],
    symbol="anglesum", level=4, weight=1.7, prerequisites=("geometry.third-angle",),
)  # fmt: skip
def angle_sum(n: Annotated[int, Int(4, 60)]) -> Worked[Positive]:
    """Interior angles of a polygon: 180 degrees for each triangle it splits into."""
    yield f"{n} - 2 = {n - 2}"
    yield f"{n - 2} * 180 = {(n - 2) * 180}"
    return (n - 2) * 180


@angle_sum.check
def _(n: int, value: int) -> bool:
    return value + 360 == n * 180


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(rectangle_area, perimeter, triangle_area, box_volume, box_surface, hypotenuse_square, third_angle),
        *(diagonals, angle_sum),
    ]
