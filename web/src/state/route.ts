// The address says what is shown: `#/CIRCLE/members`, `#/CIRCLE/talk/CONVERSATION`.

export type Screen = 'talk' | 'map' | 'members' | 'invite' | 'settings' | 'group' | 'add';

export interface Route {
  circle: string | null;
  screen: Screen;
  /** The conversation, on the screen `talk`. */
  conversation: string | null;
}

const SCREENS: readonly Screen[] = ['talk', 'map', 'members', 'invite', 'settings', 'group', 'add'];
const ID = /^[a-z2-7]{52}$/;

/** Reads an address; whatever is not right in it is as if it were not there. */
export function parse(hash: string): Route {
  const [circle = '', screen = '', conversation = ''] = hash.replace(/^#\/?/, '').split('/');
  const known = SCREENS.find((name) => name === screen) ?? 'talk';
  return {
    circle: ID.test(circle) ? circle : null,
    screen: known,
    conversation: known === 'talk' && ID.test(conversation) ? conversation : null,
  };
}

/** Writes an address. */
export function link(circle: string | null, screen: Screen = 'talk', conversation?: string | null): string {
  return '#/' + [circle ?? '-', screen, conversation].filter(Boolean).join('/');
}
