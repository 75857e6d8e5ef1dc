// Which conversations a person wants no notice of.

import type { Conversation } from '../api/generated';

export function isQuiet({ archived, blocked, muted_until_ms }: Pick<Conversation, 'archived' | 'blocked' | 'muted_until_ms'>, now: number): boolean {
  return Boolean(archived || blocked) || (muted_until_ms ?? 0) > now;
}
