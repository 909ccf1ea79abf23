"""Skins: in which words a problem is told.

canonical: ``a = 3 + 5 ; b = max a 4 ; b ?``

letters: ``Let K be the sum of 3 and 5. Find the larger of K and 4.``

story: ``The red jar holds 5 marbles. The blue jar holds 3 more marbles than the red jar. ...``

trace: a program of lines such as ``x1 = gcd(12, 18)``, after a legend of its functions.
"""

from __future__ import annotations

from promptcot.symbolic.skins.canonical import CANONICAL
from promptcot.symbolic.skins.letters import LETTERS
from promptcot.symbolic.skins.story import STORY
from promptcot.symbolic.skins.trace import TRACE

SKINS = {skin.name: skin for skin in (LETTERS, STORY, TRACE, CANONICAL)}
"""The shipped skins by name."""
