"""From a request's body to a typed payload: parsing, decryption, validation, quarantine."""
