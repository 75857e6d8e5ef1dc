//! Conversations: signed per-device chains, causal order, frontiers and receipts.
