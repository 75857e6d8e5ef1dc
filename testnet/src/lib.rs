//! Many nodes on virtual links.
