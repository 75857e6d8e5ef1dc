// The address says what is shown: `#/CIRCLE/members`, `#/CIRCLE/talk/CONVERSATION`, and says it to this node's page only.
//
// A browser writes addresses down, for a history that outlives the vault, the passphrase and the circle. So circles and
// conversations stand in them by short handles, which depend on the page's own name and so are others at each start.

export type Screen = 'talk' | 'map' | 'members' | 'invite' | 'settings' | 'group' | 'add';

export interface Route {
  circle: string | null;
  screen: Screen;
  /** The conversation, on the screen `talk`. */
  conversation: string | null;
}

const SCREENS: readonly Screen[] = ['talk', 'map', 'members', 'invite', 'settings', 'group', 'add'];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
/** How many letters a handle has. */
const LENGTH = 5;

const ids = new Map<string, string>();
const handles = new Map<string, string>();

/** Returns what an id is called in addresses; the same after the page was loaded anew. */
export function handle(id: string): string {
  const known = handles.get(id);
  if (known) return known;
  let made = '';
  for (let round = 0; !made || ids.has(made); round += 1) made = digest(`${globalThis.location?.host} ${id} ${round}`);
  ids.set(made, id);
  handles.set(id, made);
  return made;
}

/** Forgets all ids, as the vault is closed. */
export function forgetHandles(): void {
  ids.clear();
  handles.clear();
}

/** Reads an address; whatever is not right in it, or not known, is as if it were not there. */
export function parse(hash: string): Route {
  const [circle = '', screen = '', conversation = ''] = hash.replace(/^#\/?/, '').split('/');
  const known = SCREENS.find((name) => name === screen) ?? 'talk';
  return {
    circle: ids.get(circle) ?? null,
    screen: known,
    conversation: known === 'talk' ? (ids.get(conversation) ?? null) : null,
  };
}

/** Writes an address. */
export function link(circle: string | null, screen: Screen = 'talk', conversation?: string | null): string {
  return '#/' + [circle ? handle(circle) : '-', screen, conversation ? handle(conversation) : null].filter(Boolean).join('/');
}

/** Mixes a text down to a few letters (FNV-1a): no secret rests on it, and two that fall together are told apart. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  hash ^= hash >>> 15;
  let made = '';
  for (let place = 0; place < LENGTH; place += 1) made += LETTERS[(hash >>> (5 * place)) & 31];
  return made;
}
