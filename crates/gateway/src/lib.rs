//! Doors for other programs: the HTTP API on a Unix socket.
