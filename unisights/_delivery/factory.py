"""Which delivery an endpoint gets."""

from unisights._delivery.background import BackgroundDelivery
from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.inline import InlineDelivery
from unisights._delivery.resumption import resume_when_serving
from unisights.delivery import Background, Durable, Inline

_NAMED: dict[object, Inline | Background] = {"inline": Inline(), "background": Background()}


def make_delivery(
    context: DeliveryContext, default: Inline | Background, *, has_lifespan: bool
) -> Delivery:
    """Make the delivery that the options ask for, or else the framework's own default.

    Args:
        context: what the delivery is given of its endpoint.
        default: the framework's own.
        has_lifespan: whether a lifespan of the app opens it, if the server runs that.
    """
    chosen = context.options.delivery or default
    match _NAMED[chosen] if isinstance(chosen, str) else chosen:
        case Inline():
            return InlineDelivery(context)
        case Background() as background:
            return BackgroundDelivery(context, background)
        case Durable() as durable:
            # SQLite takes a while to import, and the others need none.
            from unisights._delivery.durable import DurableDelivery  # noqa: PLC0415

            delivery = DurableDelivery(context, durable)
            resume_when_serving(delivery, has_lifespan=has_lifespan)
            return delivery
