"""The payload's types, written by hand as a user of other libraries would write them."""
