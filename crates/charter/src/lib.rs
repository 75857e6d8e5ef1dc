//! Decides who belongs to a circle and who may speak in it.
