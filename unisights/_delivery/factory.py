"""Which delivery an endpoint gets."""

from unisights._delivery.background import BackgroundDelivery
from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.inline import InlineDelivery
from unisights.config import DeliveryMode


def make_delivery(context: DeliveryContext, default: DeliveryMode) -> Delivery:
    """Make the delivery that the options ask for, or else the framework's own default."""
    match context.options.delivery or default:
        case "inline":
            return InlineDelivery(context)
        case "background":
            return BackgroundDelivery(context)
        case "durable":
            # SQLite takes a while to import, and the others need none.
            from unisights._delivery.durable import DurableDelivery  # noqa: PLC0415

            return DurableDelivery(context)
