// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { Role } from './generated';

/** A member who may open a stream. */
export type Granted = {
  /** The member. */
  id: string;
  /** His name. */
  name: string;
};

/** Offers a stream. */
export type NewStreamOffer = {
  /** How urgent what goes on it is. */
  class?: StreamClass;
  /** How many flows are open at a time, 1 to 16,384; 256 unless said. */
  flows?: number | null;
  /** The label that whoever opens it has to name as well. */
  label?: string | null;
  /** Members, by name or id, who may open it. */
  members?: Array<string>;
  /** Its name: 1 to 64 letters, digits, `.`, `_`, `-`. */
  name: string;
  /** Whether it is for one flow, with a program that listens on a Unix socket: it is not offered after a restart. The program writes what it says in parts, each behind its length (4 bytes, big-endian), and */
  once?: boolean;
  /** How many bytes a second all its flows together carry each way; 0 for no bound. */
  rate?: number;
  role?: Role | null;
  /** With what flows are joined. */
  target: StreamTarget;
};

/** A flow that is open: one use of an offered stream. */
export type OpenFlow = {
  /** The device at the other end. */
  device: string;
  /** Its number. */
  id: number;
  /** Whether this device offers it. */
  mine: boolean;
  /** The stream's name. */
  offer: string;
  /** How many bytes came from there. */
  received: number;
  /** How many bytes went to the other end. */
  sent: number;
  /** Since when it is open. */
  since_ms: number;
};

/** Listens on this machine for programs that want what another device offers. */
export type OpenStream = {
  /** Whether the address may be one that other machines reach: everybody who does can use the stream. */
  beyond_loopback?: boolean;
  /** The label under which it is to be used. */
  label?: string | null;
  /** Where to listen: an IP address and port; port 0, the default, for one that is free. */
  listen?: string | null;
  /** Whether one connection, to a Unix socket, is enough: then it listens no more. The program writes what it says in parts, each behind its length (4 bytes, big-endian), and */
  once?: boolean;
  /** `MEMBER/NAME`, or `MEMBER/DEVICE/NAME`; the member and his device by name or id. */
  stream: string;
  /** Whether it is for datagrams. */
  udp?: boolean;
  /** The path of a Unix socket to listen on in place of that. */
  unix?: string | null;
};

/** A flow that was not opened. */
export type RefusedFlow = {
  /** When. */
  at_ms: number;
  /** The device at the other end. */
  device: string;
  /** The label as whoever opened it said. */
  label?: string | null;
  /** The stream's name as whoever opened it said. */
  offer: string;
  /** Why, as one word: `unknown`, `label`, `kind`, `busy`, `off`, `refused`, `silent`, and how open flows end early. */
  reason: string;
  /** Whether the other device refused it. */
  theirs: boolean;
  /** Why, in words. */
  words: string;
};

/** How urgent what goes on a stream is. */
export type StreamClass = 'voice' | 'message' | 'file' | 'bulk';

/** How a flow ended, or that it has not yet. */
export type StreamEnd = {
  /** Whether it was ever open, if it is over. */
  opened: boolean;
  /** Whether it is over; if not, ask again. */
  over: boolean;
  /** Why it did not end properly, as one word; none if it did. */
  reason?: string | null;
  /** Why, in words. */
  words?: string | null;
};

/** Grants an offered stream to more, or takes it from some. */
export type StreamGrant = {
  /** Members, by name or id. */
  members?: Array<string>;
  role?: Role | null;
};

/** A place on this machine where programs find what another device offers. */
export type StreamListener = {
  /** The address or path where it listens. */
  address: string;
  /** In which circle. */
  circle: string;
  /** Its number. */
  id: number;
  /** The member whose device offers it. */
  member: string;
  /** His name. */
  member_name: string;
  /** The stream's name. */
  offer: string;
  /** Why the last flow was not opened, if it was not. */
  trouble?: string | null;
  /** Whether it is for datagrams. */
  udp: boolean;
};

/** A stream that this device offers. */
export type StreamOffer = {
  /** How urgent what goes on it is. */
  class: StreamClass;
  /** How many flows are open at a time at most. */
  flows: number;
  /** The label that whoever opens it has to name as well. */
  label?: string | null;
  /** Members who may open it. */
  members: Array<Granted>;
  /** Its name. */
  name: string;
  /** How many bytes a second all its flows together carry each way; 0 for no bound. */
  rate: number;
  role?: Role | null;
  /** With what flows are joined. */
  target: StreamTarget;
};

/** The rules of one device for streams in a circle. */
export type StreamPolicy = {
  /** If any are named: only streams with one of these labels. */
  labels?: Array<string>;
  /** Whether there are any. */
  on: boolean;
};

/** With what a flow is joined, on the device that offers. */
export type StreamTarget = {
  kind: 'tcp';
  /** A TCP connection to a host and port. */
  to: string;
} | {
  kind: 'udp';
  /** UDP datagrams to and from a host and port. */
  to: string;
} | {
  kind: 'unix';
  /** A connection to the Unix socket at a path. */
  to: string;
} | {
  kind: 'exec';
  /** A command, started by `/bin/sh -c` for each flow: its input and output. */
  to: string;
};

/** How it stands with streams in a circle. */
export type Streams = {
  /** The oldest 1,000 of them. */
  flows: Array<OpenFlow>;
  /** Where this device listens for programs that want what others offer. */
  listeners: Array<StreamListener>;
  /** What this device offers. */
  offers: Array<StreamOffer>;
  /** How many flows are open. */
  open: number;
  /** The rules of this device. */
  policy: StreamPolicy;
  /** What was refused lately, by this device or another, since it was unlocked; the newest last. */
  refused: Array<RefusedFlow>;
};

