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
  /** How far around its middle its devices stand; 0 if there is one. */
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

/** How far one's own other devices stand from this one, and others' devices from the middle of their home. */
const OWN = 150;
const SIDE = 52;

/** Lays the circle out: this device in the middle, one's own others close by, the other members around. */
export function layout(members: readonly Member[], tunnels: readonly Tunnel[], width: number, height: number): Layout {
  const middle = { x: width / 2, y: height / 2 - 8 };
  const me = members.find((member) => member.me);
  const others = members.filter((member) => !member.me);
  const homes: Home[] = [];
  const own = [...(me?.devices ?? [])].sort((a, b) => Number(b.this) - Number(a.this));
  const near = own.length - 1;
  if (me) {
    // Below this device, where no line to another member goes as long as there are few.
    const spots = own.map((device, index): Spot => {
      if (index === 0) return { device, ...middle };
      const angle = Math.PI / 2 + (index - 1 - (near - 1) / 2) * 0.9;
      return { device, x: middle.x + OWN * Math.cos(angle), y: middle.y + OWN * Math.sin(angle) };
    });
    homes.push({ member: me, ...middle, radius: near > 0 ? OWN : 0, spots });
  }
  const rx = Math.max(100, width / 2 - 84);
  const ry = Math.max(90, height / 2 - 72);
  others.forEach((member, index) => {
    const turn = (2 * Math.PI) / Math.max(others.length, 1);
    // With own devices below, the others begin at the left and go over the top.
    // Many go round further, but leave room for one's own below.
    const span = Math.PI + (others.length < 6 ? 0 : 1);
    const arc = -Math.PI / 2 - span / 2 + ((index + 0.5) * span) / others.length;
    const angle = near > 0 ? arc : -Math.PI / 2 + index * turn;
    const row = others.length > 12 && index % 2 ? 0.66 : 1;
    homes.push(home(member, middle.x + rx * row * Math.cos(angle), middle.y + ry * row * Math.sin(angle)));
  });
  const spots = new Map(homes.flatMap((one) => one.spots.map((spot) => [spot.device.id, spot] as const)));
  const from = homes[0]?.spots.find((spot) => spot.device.this);
  const lines: Line[] = [];
  for (const tunnel of tunnels) {
    const to = spots.get(tunnel.device.id);
    if (!from || !to) continue;
    const via = spots.get(forwarder(tunnel) ?? '') ?? null;
    const start = via ?? from;
    // Below a device stands its name: there the label goes nearer to the far end.
    const part = to.y > start.y ? 0.64 : 0.52;
    lines.push({ tunnel, from, to, via, x: start.x + (to.x - start.x) * part, y: start.y + (to.y - start.y) * part });
  }
  return { width, height, homes, lines };
}

/** The device through which a tunnel's packets go, if its path names one. */
export function forwarder(tunnel: Tunnel): string | null {
  return tunnel.path?.via ?? null;
}

function home(member: Member, x: number, y: number): Home {
  const count = member.devices.length;
  const radius = count > 1 ? SIDE : 0;
  const spots = member.devices.map((device, index) => {
    const angle = count === 2 ? Math.PI * index : -Math.PI / 2 + (index * 2 * Math.PI) / Math.max(count, 1);
    return { device, x: x + radius * Math.cos(angle), y: y + radius * Math.sin(angle) };
  });
  return { member, x, y, radius, spots };
}
