"""Images of a request as patches and tokens."""

from specc.ir.layers import Vision
from specc.ir.model import Model
from specc.ir.workload import RequestKind, Workload
from specc.units import Tokens


def image_patches(vision: Vision, height: int, width: int) -> int:
    """Return the patches of an image whose sides are rounded to whole tokens."""
    side = vision.patch_size * vision.merge
    return max(1, round(height / side)) * max(1, round(width / side)) * vision.merge**2


def image_tokens(workload: Workload, model: Model) -> tuple[Tokens, ...]:
    """Return the tokens that the images of a request add to its prompt, of each part."""
    return tuple(_tokens(part, model) for part in workload.parts)


def _tokens(kind: RequestKind, model: Model) -> Tokens:
    images, vision = kind.images, model.vision
    if images is None or vision is None:
        return 0
    return images.count * image_patches(vision, images.height, images.width) // vision.merge**2
