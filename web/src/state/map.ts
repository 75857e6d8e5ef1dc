// Where everything stands on the map: pure geometry, so that it can be tried without a screen.

import type { Device, Member, Tunnel } from '../api/generated';

export interface Spot {
  device: Device;
  x: number;
  y: number;
}

export interface Home {
  member: Member;
  x: number;
  y: number;
  /** How far its devices stand from its middle. */
  radius: number;
  spots: Spot[];
}

export interface Line {
  tunnel: Tunnel;
  from: Spot;
  to: Spot;
  /** Where its label goes. */
  x: number;
  y: number;
  /** The device that forwards, if one does. */
  via: Spot | null;
}

export interface Layout {
  width: number;
  height: number;
  homes: Home[];
  lines: Line[];
}

/** Lays the circle out: oneself in the middle, the others around, each member with all his devices. */
export function layout(members: readonly Member[], tunnels: readonly Tunnel[], width: number, height: number): Layout {
  const middle = { x: width / 2, y: height / 2 };
  const me = members.find((member) => member.me);
  const others = members.filter((member) => !member.me);
  const homes: Home[] = [];
  if (me) homes.push(home(me, middle.x, middle.y));
  const rx = Math.max(110, width / 2 - 88);
  const ry = Math.max(96, height / 2 - 84);
  others.forEach((member, index) => {
    // Two stand left and right of the middle, three and more begin at the top.
    const start = others.length === 2 ? Math.PI : -Math.PI / 2;
    const angle = start + (index * 2 * Math.PI) / Math.max(others.length, 1) + (others.length === 1 ? Math.PI / 2 : 0);
    // A crowd stands in two rows.
    const row = others.length > 12 && index % 2 ? 0.68 : 1;
    homes.push(home(member, middle.x + rx * row * Math.cos(angle), middle.y + ry * row * Math.sin(angle)));
  });
  const spots = new Map(homes.flatMap((one) => one.spots.map((spot) => [spot.device.id, spot] as const)));
  const from = homes[0]?.spots.find((spot) => spot.device.this);
  const lines: Line[] = [];
  for (const tunnel of tunnels) {
    const to = spots.get(tunnel.device.id);
    if (!from || !to) continue;
    const via = spots.get(forwarder(tunnel) ?? '') ?? null;
    lines.push({ tunnel, from, to, x: (from.x + to.x) / 2, y: (from.y + to.y) / 2, via });
  }
  return { width, height, homes, lines };
}

/** The device through which a tunnel's packets go, if its path names one. */
export function forwarder(tunnel: Tunnel): string | null {
  const path = tunnel.path as { via?: unknown } | null | undefined;
  return typeof path?.via === 'string' ? path.via : null;
}

function home(member: Member, x: number, y: number): Home {
  const count = member.devices.length;
  const radius = count > 1 ? 30 + Math.min(count, 8) * 4 : 0;
  const own = [...member.devices].sort((a, b) => Number(b.this) - Number(a.this));
  const spots = own.map((device, index) => {
    const angle = -Math.PI / 2 + (index * 2 * Math.PI) / Math.max(count, 1);
    return { device, x: x + radius * Math.cos(angle), y: y + radius * Math.sin(angle) };
  });
  return { member, x, y, radius, spots };
}
