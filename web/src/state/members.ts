// What is said of a member as a whole.

import type { Member } from '../api/generated';

/** Whether one of his devices is connected. */
export function isUp(member: Member): boolean {
  return member.devices.some((device) => device.connected);
}
