// What the page knows: a snapshot of the node, kept true by its events. It holds nothing that the node does not.

import { ask, Refused } from '../api/client';
import { hear } from '../api/events';
import type { Circle, Contact, Conversation, Event, Invitation, Member, Message, Tunnel } from '../api/generated';
import { words } from '../words';
import { alarm } from './alarm';
import { isQuiet } from './quiet';
import { forgetHandles, handle, link, parse, type Route } from './route';
import { name } from './text';
import { Soon } from './soon';
import { Timeline } from './timeline';

/** What the whole page shows. */
export type Phase = 'starting' | 'closed' | 'gone' | 'fresh' | 'locked' | 'open';

/** How many messages a page asks for, at first and further up. */
const FIRST = 60;
const FURTHER = 400;
/** How many messages of a conversation stay loaded once it is left. */
const KEEP = 120;
const TIMELINES = 8;
/** How long after a person did something it is news that he is there, in milliseconds. */
const PRESENT = 15_000;
/** How long what is shown stays on the screen when the node does not answer, in milliseconds. */
const PATIENCE = 8_000;

/** What is done with the text in the composer. */
export type Mode = { how: 'new' } | { how: 'reply' | 'edit'; message: Message };

class Face {
  phase = $state<Phase>('starting');
  /** Why a one-time link did not open, if one was tried. */
  linkTrouble = $state('');
  /** Whether the node answers. */
  reachable = $state(true);
  route = $state.raw<Route>(parse(''));
  circles = $state.raw<Circle[]>([]);
  conversations = $state.raw<Conversation[]>([]);
  members = $state.raw<Member[]>([]);
  tunnels = $state.raw<Tunnel[]>([]);
  contacts = $state.raw<Contact[]>([]);
  invitations = $state.raw<Invitation[]>([]);
  /** Counts up whenever the open timeline changed. */
  changed = $state(0);
  notice = $state('');
  private readonly timelines = new Map<string, Timeline>();
  /** What is written and not sent, as of this page; the vault has it a moment later. */
  readonly drafts = new Map<string, string>();
  /** A text that could not be sent when its field had been left: whoever writes there again finds it. */
  returned = $state<{ conversation: string; text: string } | null>(null);
  private readonly soon = new Soon((error) => {
    // Nobody asked for it, and it is asked again at the next event; but who may not ask any more shows nothing any more.
    if (error instanceof Refused && (error.kind === 'no-session' || error.kind === 'locked')) void this.look();
  });
  private deaf: (() => void) | null = null;
  private leaving: ReturnType<typeof setTimeout> | null = null;
  private present = -Infinity;
  /** The circle that was founded or joined just now: where all talk is where one begins. */
  private entering: string | null = null;

  circle = $derived(this.circles.find((circle) => circle.id === this.route.circle) ?? this.circles[0] ?? null);
  conversation = $derived(
    this.route.conversation ? (this.conversations.find((one) => one.id === this.route.conversation) ?? null) : null,
  );
  unread = $derived(this.circles.reduce((sum, circle) => sum + circle.unread, 0));

  /** Begins: trades in a link if the address holds one, and finds out how the node stands. */
  async begin(): Promise<void> {
    addEventListener('hashchange', () => void this.turn());
    addEventListener('focus', () => this.wake());
    document.addEventListener('visibilitychange', () => this.wake());
    for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => this.notePerson(), { capture: true, passive: true });
    await this.tradeIn();
    this.route = parse(location.hash);
    await this.look();
  }

  /** Tells the node that somebody is there, so that it does not lock itself under his hands; not oftener than needed. */
  private notePerson(): void {
    if (this.phase !== 'open' || performance.now() - this.present < PRESENT) return;
    this.present = performance.now();
    ask('POST /v1/present').catch(() => {
      // What he does next says what is wrong.
    });
  }

  /** Trades in a one-time link, if the address holds one; `false` if it does not. */
  private async tradeIn(): Promise<boolean> {
    const ticket = /^#open=([0-9a-f]+)$/.exec(location.hash)?.[1];
    if (!ticket) return false;
    // The secret leaves the address before anything else happens.
    history.replaceState(null, '', '/');
    try {
      await ask('POST /v1/web/session', { body: { ticket } });
    } catch (error) {
      this.linkTrouble = error instanceof Refused ? error.message : String(error);
    }
    return true;
  }

  /** Finds out how the node stands, from nothing. */
  async look(): Promise<void> {
    try {
      const vault = await ask('GET /v1/vault');
      this.reachable = true;
      if (!vault.locked) return await this.enter();
      const session = await ask('GET /v1/status').then(() => true, refusedWith('no-session'));
      // Without a link nobody makes a vault here; who knows the passphrase of one needs none.
      this.phase = vault.exists ? 'locked' : session ? 'fresh' : 'closed';
      if (session) this.hear();
    } catch (error) {
      if (error instanceof Refused && error.kind === 'unreachable') {
        this.reachable = false;
        if (this.phase === 'starting') this.phase = 'gone';
      } else if (error instanceof Refused && error.kind === 'no-session') this.close();
      else throw error;
    }
  }

  /** Shows what is in the open node. */
  private async enter(): Promise<void> {
    try {
      await this.readCircles();
    } catch (error) {
      if (error instanceof Refused && error.kind === 'no-session') return this.close();
      throw error;
    }
    this.hear();
    this.linkTrouble = '';
    this.phase = this.circles.length ? 'open' : 'fresh';
    await this.readCircle();
    await this.readOpen();
  }

  async unlock(passphrase: string): Promise<void> {
    await ask('POST /v1/unlock', { body: { passphrase } });
    await this.enter();
  }

  async makeVault(passphrase: string): Promise<void> {
    await ask('POST /v1/vault', { body: { passphrase } });
    this.hear();
  }

  /** Goes to a circle that was founded or joined just now. */
  async welcome(circle: Circle): Promise<void> {
    this.entering = circle.id;
    await this.readCircles();
    this.go(link(circle.id));
    this.phase = 'open';
    await this.readCircle();
  }

  private hear(): void {
    this.deaf ??= hear({
      event: (event) => this.handle(event),
      up: () => {
        const gap = !this.reachable;
        this.reachable = true;
        if (this.leaving) clearTimeout(this.leaving);
        this.leaving = null;
        if (this.phase === 'gone') return void this.look();
        // Whatever happened before the stream stood may not have been heard.
        if (this.phase === 'open' || gap) this.soon.run('everything', 50, () => this.readEverything());
      },
      down: () => {
        this.reachable = false;
        this.leaving ??= setTimeout(() => this.lose(), PATIENCE);
      },
      over: () => {
        // The node does not know this browser (any more), or not until it is unlocked: then it listens anew.
        this.deaf?.();
        this.deaf = null;
        void this.look();
      },
    });
  }

  /** The node is not there any more: what came from it is not left on the screen for whoever passes by. */
  private lose(): void {
    this.leaving = null;
    this.forget();
    this.phase = 'gone';
  }

  private handle(event: Event): void {
    switch (event.event) {
      case 'locked':
        this.forget();
        this.phase = 'locked';
        return;
      case 'unlocked':
        void this.look();
        return;
      case 'missed':
        this.soon.run('everything', 100, () => this.readEverything());
        return;
      case 'tokens':
      case 'streams':
        return;
      case 'message':
        this.handleMessage(event.circle, event.message);
        return;
      case 'changed':
        if (event.circle !== this.circle?.id) return;
        if (this.timelines.get(event.message.conversation)?.renew(event.message)) this.changed += 1;
        this.soon.run('conversations', 200, () => this.readConversations());
        return;
      case 'file':
        if (event.circle === this.circle?.id && this.timelines.get(event.file.conversation)?.renewFile(event.file)) this.changed += 1;
        return;
      case 'conversation':
        if (event.circle === this.circle?.id) this.soon.run('conversations', 200, () => this.readConversations());
        return;
      case 'receipt':
        if (event.circle === this.circle?.id) this.soon.run(`tail ${event.conversation}`, 60, () => this.readTail(event.conversation));
        return;
      case 'fork': {
        const member = this.members.find((one) => one.devices.some((device) => device.id === event.author));
        this.say(words.trouble.fork(name(member?.name)));
        return;
      }
      case 'roster':
      case 'standing':
        this.soon.run('circle', 60, async () => {
          await this.readCircles();
          if (event.circle === this.circle?.id) await this.readCircle();
        });
        return;
      case 'tunnel':
        this.soon.run('circles', 150, () => this.readCircles());
        if (event.circle === this.circle?.id) this.soon.run('devices', 150, () => this.readDevices());
        return;
      default:
        // A newer node tells of more: what is shown is read again.
        this.soon.run('everything', 500, () => this.readEverything());
    }
  }

  private handleMessage(circle: string, message: Message): void {
    const circleState = this.circles.find((one) => one.id === circle);
    const mine = message.member !== null && message.member === circleState?.member;
    const hidden = message.absent === 'blocked';
    if (!mine && !hidden) void this.attempt(() => this.announce(message, circle));
    this.soon.run('circles', 120, () => this.readCircles());
    if (circle !== this.circle?.id) return;
    const timeline = this.timelines.get(message.conversation);
    if (timeline?.add(message) && message.conversation === this.route.conversation) this.changed += 1;
    const known = this.conversations.find((one) => one.id === message.conversation);
    if (known) {
      const next = { ...known, last: message, messages: known.messages + 1, unread: known.unread + (mine || hidden ? 0 : 1) };
      this.conversations = [next, ...this.conversations.filter((one) => one !== known)];
    }
    this.soon.run('conversations', 400, () => this.readConversations());
  }

  /** Tells of a message, unless there is to be no notice of its conversation. */
  private async announce(message: Message, circle: string): Promise<void> {
    const path = { circle, conversation: message.conversation };
    const known = circle === this.circle?.id ? this.conversations.find((one) => one.id === message.conversation) : undefined;
    const conversation = known ?? (await ask('GET /v1/circles/{circle}/conversations/{conversation}', { path }));
    if (!isQuiet(conversation, Date.now())) alarm(message, circle, () => this.go(link(circle, 'talk', message.conversation)));
  }

  /** Whether a person looks at the conversation. */
  isWatched(conversation: string): boolean {
    return this.route.screen === 'talk' && this.route.conversation === conversation && document.visibilityState === 'visible' && document.hasFocus();
  }

  // What is read from the node.

  private async readEverything(): Promise<void> {
    await this.readCircles();
    if (this.phase === 'fresh' && this.circles.length) this.phase = 'open';
    if (this.phase !== 'open') return;
    await this.readCircle();
    for (const [id, timeline] of this.timelines) {
      if (id !== this.route.conversation) this.timelines.delete(id);
      else if (timeline.size) await this.readGap(id, timeline);
    }
    await this.readOpen();
  }

  async readCircles(): Promise<void> {
    this.circles = await ask('GET /v1/circles');
    this.locate(this.circles);
    setBadge(this.unread);
  }

  /** Finds what the address names among what was read: before, its handles mean nothing. */
  private locate(read: readonly { id: string }[]): void {
    for (const { id } of read) handle(id);
    const found = parse(location.hash);
    if (found.circle !== this.route.circle || found.conversation !== this.route.conversation) this.route = found;
  }

  private async readCircle(): Promise<void> {
    if (this.circle?.state !== 'member' && this.circle?.state !== 'removed') return;
    await Promise.all([this.readConversations(), this.readDevices(), this.readScreen()]);
  }

  private async readConversations(): Promise<void> {
    const circle = this.circle;
    if (!circle?.member) return;
    const found = await ask('GET /v1/circles/{circle}/conversations', { path: { circle: circle.id } });
    if (circle.id !== this.circle?.id) return;
    this.conversations = found;
    this.locate(found);
    const everyone = found.find((one) => one.kind === 'everyone');
    if (this.entering === circle.id && everyone) {
      this.entering = null;
      this.go(link(circle.id, 'talk', everyone.id));
    }
  }

  private async readDevices(): Promise<void> {
    const circle = this.circle;
    if (!circle?.member) return;
    const path = { circle: circle.id };
    const [members] = await Promise.all([ask('GET /v1/circles/{circle}/members', { path }), this.readMap()]);
    if (circle.id === this.circle?.id) this.members = members;
  }

  async refreshDevices(): Promise<void> {
    await this.readDevices();
  }

  async refreshConversations(): Promise<void> {
    await this.readConversations();
  }

  /** Reads what the map shows, if it is looked at. */
  async readMap(): Promise<void> {
    const circle = this.circle;
    if (!circle?.member || this.route.screen !== 'map') return;
    const path = { circle: circle.id };
    const [tunnels, contacts] = await Promise.all([
      ask('GET /v1/circles/{circle}/tunnels', { path }),
      ask('GET /v1/circles/{circle}/contacts', { path }),
    ]);
    if (circle.id !== this.circle?.id) return;
    this.tunnels = tunnels;
    this.contacts = contacts;
  }

  async readInvitations(): Promise<void> {
    const circle = this.circle;
    if (!circle?.member) return;
    const found = await ask('GET /v1/circles/{circle}/invitations', { path: { circle: circle.id } });
    if (circle.id === this.circle?.id) this.invitations = found;
  }

  private async readScreen(): Promise<void> {
    if (this.route.screen === 'invite') await this.readInvitations();
  }

  /** The loaded part of a conversation; makes an empty one for another. */
  timeline(conversation: string): Timeline {
    let timeline = this.timelines.get(conversation);
    if (!timeline) {
      timeline = new Timeline();
      this.timelines.set(conversation, timeline);
      if (this.timelines.size > TIMELINES) {
        const oldest = [...this.timelines.keys()].find((id) => id !== conversation);
        if (oldest) this.timelines.delete(oldest);
      }
    }
    return timeline;
  }

  private async readOpen(): Promise<void> {
    const id = this.route.conversation;
    if (!id || !this.circle?.member) return;
    if (!this.conversations.some((one) => one.id === id)) await this.readConversations();
    const timeline = this.timeline(id);
    if (timeline.size === 0) await this.readFurther(id);
    else await this.readTail(id);
  }

  /** Reads the next older part, or the newest if nothing is loaded. Returns how many messages came. */
  async readFurther(conversation: string): Promise<number> {
    const circle = this.circle;
    const timeline = this.timeline(conversation);
    if (!circle || !timeline.more) return 0;
    const before = timeline.first?.id;
    const page = await ask('GET /v1/circles/{circle}/conversations/{conversation}/messages', {
      path: { circle: circle.id, conversation },
      query: { before, limit: before ? FURTHER : FIRST },
    });
    const count = timeline.take(page.messages, page.more);
    if (conversation === this.route.conversation) this.changed += 1;
    return count;
  }

  /** Reads the newest messages again: how far they have come, and what may have been missed. */
  private async readTail(conversation: string): Promise<void> {
    const circle = this.circle;
    const timeline = this.timelines.get(conversation);
    if (!circle || !timeline?.size) return;
    const page = await ask('GET /v1/circles/{circle}/conversations/{conversation}/messages', {
      path: { circle: circle.id, conversation },
      query: { limit: FIRST },
    });
    timeline.take(page.messages);
    if (conversation === this.route.conversation) this.changed += 1;
  }

  /** Reads all that came after what is loaded, however much; beyond some pages it starts over from the end. */
  private async readGap(conversation: string, timeline: Timeline): Promise<void> {
    const circle = this.circle;
    if (!circle) return;
    const pages: Message[][] = [];
    let before: string | undefined;
    for (let count = 0; count < 10; count += 1) {
      const page = await ask('GET /v1/circles/{circle}/conversations/{conversation}/messages', {
        path: { circle: circle.id, conversation },
        query: { before, limit: FURTHER },
      });
      const met = page.messages.some((message) => timeline.has(message.id));
      pages.push(page.messages);
      if (met || !page.more) {
        for (const messages of pages.reverse()) timeline.take(messages);
        this.changed += 1;
        return;
      }
      before = page.messages[0]?.id;
    }
    this.timelines.delete(conversation);
    await this.readFurther(conversation);
  }

  // What a person does.

  /** Sends a text: as a message of its own, as an answer, or in place of what one wrote before. */
  async send(text: string, mode: Mode = { how: 'new' }): Promise<void> {
    const { circle, conversation } = this;
    if (!circle || !conversation) return;
    if (mode.how === 'edit') {
      const path = { circle: circle.id, message: mode.message.id };
      this.renew(await ask('PUT /v1/circles/{circle}/messages/{message}', { path, body: { text } }));
      return;
    }
    const message =
      mode.how === 'reply'
        ? await ask('POST /v1/circles/{circle}/messages/{message}/reply', { path: { circle: circle.id, message: mode.message.id }, body: { text } })
        : await ask('POST /v1/circles/{circle}/messages', { path: { circle: circle.id }, body: { to: conversation.id, text } });
    if (this.timeline(conversation.id).add(message)) this.changed += 1;
  }

  /** Takes in a message as it is after something was done to it. */
  private renew(message: Message): void {
    if (this.timelines.get(message.conversation)?.renew(message)) this.changed += 1;
  }

  async react(message: Message, sign: string): Promise<void> {
    const path = { circle: this.circle?.id ?? '', message: message.id };
    const mine = message.reactions?.some((one) => one.mine && one.sign === sign);
    this.renew(
      mine
        ? await ask('DELETE /v1/circles/{circle}/messages/{message}/reaction', { path })
        : await ask('PUT /v1/circles/{circle}/messages/{message}/reaction', { path, body: { sign } }),
    );
  }

  async takeBack(message: Message): Promise<void> {
    const path = { circle: this.circle?.id ?? '', message: message.id };
    this.renew(await ask('DELETE /v1/circles/{circle}/messages/{message}', { path }));
  }

  async pin(message: Message): Promise<void> {
    const path = { circle: this.circle?.id ?? '', message: message.id };
    this.renew(
      message.pinned
        ? await ask('DELETE /v1/circles/{circle}/messages/{message}/pin', { path })
        : await ask('PUT /v1/circles/{circle}/messages/{message}/pin', { path }),
    );
  }

  /** Keeps what is written and not sent, in the vault: what a browser stores would be readable by anybody. */
  draft(conversation: string, text: string, circle = this.circle?.id): void {
    if (!circle) return;
    this.drafts.set(conversation, text);
    this.soon.run(`draft ${conversation}`, 600, async () => {
      await ask('PUT /v1/circles/{circle}/conversations/{conversation}/draft', { path: { circle, conversation }, body: { text } });
    });
  }

  /** Puts a text that could not be sent before what is being written in its conversation, which need not be the open one any more. */
  giveBack(conversation: string, circle: string, text: string): void {
    // What was written is not kept for whoever comes to a locked screen.
    if (!this.circle) return;
    const since = this.drafts.get(conversation);
    this.returned = { conversation, text: since ? `${text}\n${since}` : text };
    this.draft(conversation, this.returned.text, circle);
  }

  /** Opens the conversation with a member, also one that nothing was written in yet. */
  async talkTo(member: string): Promise<void> {
    if (!this.circle) return;
    const path = { circle: this.circle.id, conversation: member };
    const found = await ask('GET /v1/circles/{circle}/conversations/{conversation}', { path });
    if (!this.conversations.some((one) => one.id === found.id)) this.conversations = [...this.conversations, found];
    this.go(link(this.circle.id, 'talk', found.id));
  }

  /** Marks what is on the screen as read. */
  markRead(conversation: Conversation): void {
    const circle = this.circle;
    if (!circle || conversation.unread === 0 || !this.isWatched(conversation.id)) return;
    const read = (one: Conversation) => (one.id === conversation.id ? { ...one, unread: 0 } : one);
    this.conversations = this.conversations.map(read);
    this.soon.run(`read ${conversation.id}`, 80, async () => {
      await ask('POST /v1/circles/{circle}/conversations/{conversation}/read', {
        path: { circle: circle.id, conversation: conversation.id },
      });
      await this.readCircles();
    });
  }

  async lock(): Promise<void> {
    await ask('POST /v1/lock');
  }

  async leave(): Promise<void> {
    await ask('DELETE /v1/web/session');
    this.close();
  }

  /** Shows nothing any more but how to open the page. */
  private close(): void {
    this.deaf?.();
    this.deaf = null;
    this.forget();
    this.phase = 'closed';
  }

  // Where the page is.

  go(address: string): void {
    if (location.hash === address) this.follow();
    else location.hash = address;
  }

  /** The address changed, by a click or by a link that was opened where the page was already. */
  private async turn(): Promise<void> {
    if (await this.tradeIn()) await this.look();
    this.follow();
  }

  private follow(): void {
    const before = this.circle?.id;
    const left = this.route.conversation;
    this.route = parse(location.hash);
    if (left && left !== this.route.conversation) this.timelines.get(left)?.trim(KEEP);
    if (this.phase !== 'open') return;
    if (this.circle?.id !== before) {
      this.conversations = [];
      this.members = [];
      this.tunnels = [];
      this.contacts = [];
      this.invitations = [];
      this.timelines.clear();
      void this.attempt(() => this.readCircle());
    } else void this.attempt(() => Promise.all([this.readScreen(), this.readMap()]));
    void this.attempt(() => this.readOpen());
  }

  private wake(): void {
    if (document.visibilityState !== 'visible') return;
    if (this.phase === 'open') {
      if (this.conversation) this.markRead(this.conversation);
      if (this.route.screen === 'map') void this.attempt(() => this.readMap());
    } else if (this.phase !== 'starting') void this.look();
  }

  /** Does something, and says so if it did not work. */
  async attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Refused) {
        if (error.kind === 'unreachable') this.reachable = false;
        else if (error.kind === 'no-session' || error.kind === 'locked') void this.look();
        else this.say(error.hint ? `${error.message}: ${error.hint}` : error.message);
        return undefined;
      }
      throw error;
    }
  }

  say(notice: string): void {
    this.notice = notice;
  }

  /** Drops all that came from the vault. */
  private forget(): void {
    this.circles = [];
    this.conversations = [];
    this.members = [];
    this.tunnels = [];
    this.contacts = [];
    this.invitations = [];
    this.timelines.clear();
    this.drafts.clear();
    this.returned = null;
    this.soon.clear();
    forgetHandles();
    this.route = parse(location.hash);
    this.notice = '';
    setBadge(0);
  }
}

function refusedWith(kind: Refused['kind']): (error: unknown) => false {
  return (error) => {
    if (error instanceof Refused && error.kind === kind) return false;
    throw error;
  };
}

/** Shows how much is unread where the system has a place for it. */
function setBadge(count: number): void {
  document.title = count ? `(${count}) ${words.app}` : words.app;
  const set = 'setAppBadge' in navigator ? (count ? navigator.setAppBadge(count) : navigator.clearAppBadge()) : undefined;
  // Where there is no badge there is the title.
  set?.catch(() => {});
}

export const face = new Face();
