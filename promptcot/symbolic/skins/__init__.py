"""Skins: in which words a problem is told.

canonical   a = 3 + 5 ; b = max a 4 ; b ?
letters     Let K be the sum of 3 and 5. Find the larger of K and 4.
story       The red jar holds 5 marbles. The blue jar holds 3 more marbles than the red jar. ...
"""

from __future__ import annotations

from promptcot.symbolic.skins.canonical import CANONICAL
from promptcot.symbolic.skins.letters import LETTERS
from promptcot.symbolic.skins.story import STORY

SKINS = {skin.name: skin for skin in (LETTERS, STORY, CANONICAL)}
"""The shipped skins by name."""
