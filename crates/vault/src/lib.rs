//! Everything a device keeps, encrypted at rest.
