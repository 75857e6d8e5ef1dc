//! The protected connection between two devices of a circle.
