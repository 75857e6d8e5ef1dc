// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { Device } from './generated';

/** An address with which this device has exchanged packets. */
export type Contact = {
  /** The address. */
  address: string;
  /** Whose it is: a device that proved its key there. */
  device: string;
  /** That device's name. */
  device_name: string;
  /** When a tunnel first went there, since the node was unlocked. */
  first_ms: number;
  /** Whether a tunnel goes there at this moment. */
  in_use: boolean;
  /** When one last did. */
  last_ms: number;
  /** Its member's name. */
  member_name: string;
};

/** What this device forwarded between two others. */
export type Forwarded = {
  /** Bytes passed on, both ways. */
  bytes: number;
  /** Packets dropped for want of budget or room. */
  dropped: number;
  /** When a packet came last. */
  last_ms: number;
  /** When it began. */
  since_ms: number;
  /** The other of the two. */
  with: string;
};

/** A device that failed at forwarding. */
export type ForwardingFailure = {
  /** When that was noticed. */
  at_ms: number;
  /** Packets of those that were lost. */
  lost?: number | null;
  /** Packets sent through it; none if nothing came back at all. */
  sent?: number | null;
  /** The device. */
  via: string;
};

/** One way on which a tunnel's packets can travel. */
export type OpenPath = {
  /** The channel: `loopback`, `lan`, `internet`, `tcp` or `member`. */
  channel: string;
  /** Packets of those that were lost. */
  lost: number;
  /** The largest packet it is known to carry, in bytes. */
  mtu: number;
  /** The other end's address; none on the channel `member`. */
  remote?: string | null;
  /** Round trip, in microseconds. */
  round_trip_us: number;
  /** Packets sent on it. */
  sent: number;
  /** Whether it is the one in use. */
  used: boolean;
  /** The member's device that forwards, on the channel `member`. */
  via?: string | null;
};

/** The concrete route of a tunnel that is up. */
export type Path = {
  /** The channel: `loopback`, `lan`, `internet`, `tcp` or `member`. */
  channel: string;
  /** The negotiated cipher. */
  cipher: string;
  /** Whether this device dialled. */
  dialled: boolean;
  /** The negotiated key exchange. */
  key_exchange: string;
  /** Bytes received. */
  received: number;
  /** The other end's address; none on the channel `member`. */
  remote?: string | null;
  /** Round trip, in microseconds. */
  round_trip_us: number;
  /** Bytes sent. */
  sent: number;
  /** Since when the tunnel is up. */
  since_ms: number;
  /** The member's device that forwards, on the channel `member`. */
  via?: string | null;
};

/** How asking the default gateway to let a port in stands: where it does, for TCP too or not, how it is asked (`PCP`, `NAT-PMP`, `UPnP`), or why it does not. */
export type PortMapping = {
  error?: string | null;
  means?: string | null;
  outside?: string | null;
  router: string;
  tcp: boolean;
};

/** The ways to another device. */
export type Reach = {
  /** The devices that failed lately at forwarding to it. */
  failures: Array<ForwardingFailure>;
  /** What this device forwards between it and others. */
  forwarded: Array<Forwarded>;
  /** The devices that would forward to it. */
  offers: Array<string>;
  /** The paths that are open, the one in use among them. */
  paths: Array<OpenPath>;
};

/** How finding members on the Mainline DHT stands. */
export type Rendezvous = {
  /** How many times one had said something new. */
  found: number;
  /** How many of them keep where this device is. */
  kept_by: number;
  /** How many times a device was looked for that could not be reached. */
  looked: number;
  /** How many nodes of the DHT are known. */
  nodes: number;
  /** How many times this device told where it is, since it was unlocked. */
  told: number;
  /** When it did last. */
  told_ms?: number | null;
};

/** A tunnel to another device, or the attempt at one. */
export type Tunnel = {
  /** Addresses at which it is tried. */
  addresses: Array<string>;
  /** Attempts since it was last up. */
  attempts: number;
  /** The other device. */
  device: Device;
  /** Why the last attempt failed. */
  last_error?: string | null;
  path?: Path | null;
  reach?: Reach | null;
  /** How it stands. */
  state: TunnelState;
};

/** How a tunnel stands. */
export type TunnelState = 'up' | 'dialling' | 'no-address';

