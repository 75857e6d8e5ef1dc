// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { File } from './files';
import type { PortMapping, Rendezvous } from './paths';

export type * from './files';
export type * from './paths';
export type * from './recovery';
export type * from './streams';

/** Why a message has no text to show. */
export type Absence = 'deleted' | 'expired' | 'lacking' | 'blocked' | 'unknown' | 'before' | 'void';

/** Brings members into a group. */
export type AddToGroup = {
  /** Whether they get what was said before. */
  history: boolean;
  /** Who comes in, each by id or by name. */
  members: Array<string>;
};

/** Why a request was not carried out, in words for a person. */
export type ApiError = {
  /** What to do about it. */
  hint?: string | null;
  /** Whose move it is. */
  kind: ErrorKind;
  /** What is wrong: lower-case, no full stop. */
  message: string;
};

/** One check of the node on itself. */
export type Check = {
  /** The evidence, in words. */
  found: string;
  /** Whether it holds. */
  holds: boolean;
  /** What was checked. */
  what: string;
};

/** One circle as this device sees it. */
export type Circle = {
  /** The addresses this device can be reached at in this circle. */
  addresses: Array<string>;
  /** With how many of the other devices a tunnel is up. */
  connected: number;
  /** This device's own id in the circle. */
  device: string;
  /** How many devices there are. */
  devices: number;
  /** The circle. */
  id: string;
  mapping?: PortMapping | null;
  /** The member this device belongs to; absent until let in. */
  member?: string | null;
  /** That member's name. */
  member_name?: string | null;
  /** How many members there are. */
  members: number;
  /** Its name; absent until a newcomer has been let in. */
  name?: string | null;
  rendezvous?: Rendezvous | null;
  role?: Role | null;
  /** The hash of the roster: equal on two devices that see the same circle. */
  roster_digest: string;
  /** Where this device stands. */
  state: CircleState;
  /** What went wrong with this circle's tunnel or admission, in words. */
  trouble?: string | null;
  /** How many messages by others have not been read. */
  unread: number;
};

/** Where a device stands in a circle. */
export type CircleState = 'joining' | 'member' | 'removed' | 'refused';

/** A conversation. */
export type Conversation = {
  /** Whether the person put it away. */
  archived?: boolean;
  /** Whether it is with a member who is blocked on this device. */
  blocked?: boolean;
  draft?: Draft | null;
  /** After how many seconds what is written now will be erased. */
  expires_after_s?: number | null;
  /** Devices whose chain in it was forked. */
  forked?: Array<string>;
  /** The hash of its whole history in order: equal on two devices that hold the same. */
  history_digest: string;
  /** The conversation. */
  id: string;
  /** Between whom. */
  kind: ConversationKind;
  last?: Message | null;
  /** How many messages it holds. */
  messages: number;
  /** Until when there is to be no notice of it. */
  muted_until_ms?: number | null;
  /** The members who read and write it. */
  participants: Array<string>;
  /** The group's name, the other member's name, or the circle's. */
  title: string;
  /** How many by others have not been read. */
  unread: number;
};

/** Between whom a conversation is. */
export type ConversationKind = 'everyone' | 'direct' | 'group';

/** How far a message has come, counted over the other devices that may read it. */
export type Delivery = {
  /** How many have it stored durably. */
  delivered: number;
  /** How many devices should get it. */
  devices: number;
  /** On how many it was read. */
  read: number;
};

/** A device in the circle. */
export type Device = {
  /** Whether a tunnel to it is up. */
  connected: boolean;
  /** The device. */
  id: string;
  /** Whose it is. */
  member: string;
  /** His name. */
  member_name: string;
  /** Its name. */
  name: string;
  /** Whether it is another key of somebody whose key had been compared; until it is compared too, anybody may be at it. */
  new_key?: boolean;
  /** Its role. */
  role: Role;
  /** When it was admitted, as the admitting device claimed. */
  since_ms: number;
  /** Whether this is the device that answers. */
  this: boolean;
  verified?: Verified | null;
  /** Names of members who have verified it, as this person did their device that says so. */
  vouched_by?: Array<string>;
};

/** What was written and not sent. */
export type Draft = {
  /** The message it answers. */
  reply_to?: string | null;
  /** The text so far; empty to forget it. */
  text: string;
};

/** Whose move it is after an error. */
export type ErrorKind = 'user' | 'not-found' | 'conflict' | 'not-allowed' | 'locked' | 'config' | 'peer' | 'internal';

/** Something that happened, after it was stored. */
export type Event = {
  /** In which circle. */
  circle: string;
  event: 'message';
  /** The message. */
  message: Message;
} | {
  /** In which circle. */
  circle: string;
  event: 'changed';
  /** The message as it is now. */
  message: Message;
} | {
  /** In which circle. */
  circle: string;
  event: 'file';
  /** The file as it is now. */
  file: File;
} | {
  /** In which circle. */
  circle: string;
  event: 'streams';
} | {
  /** In which circle. */
  circle: string;
  /** Which conversation. */
  conversation: string;
  event: 'conversation';
} | {
  /** Whose chain. */
  author: string;
  /** In which circle. */
  circle: string;
  /** In which conversation. */
  conversation: string;
  /** Which device reports. */
  device: string;
  event: 'receipt';
  /** How many of them were read there. */
  read: number;
  /** How many entries of the chain it has stored. */
  stored: number;
} | {
  /** In which circle. */
  circle: string;
  event: 'roster';
} | {
  /** Which circle. */
  circle: string;
  event: 'standing';
  /** Where it stands now. */
  state: CircleState;
} | {
  /** In which circle. */
  circle: string;
  /** To which device. */
  device: string;
  event: 'tunnel';
  /** Whether it is up. */
  up: boolean;
} | {
  /** Whose chain. */
  author: string;
  /** In which circle. */
  circle: string;
  event: 'fork';
} | {
  event: 'locked';
} | {
  event: 'unlocked';
} | {
  /** How many. */
  count: number;
  event: 'missed';
} | {
  event: 'tokens';
};

/** Sets after what time the messages of a conversation are erased everywhere. */
export type Expire = {
  /** After how many seconds, counted from the moment when each was written; 0 for never. Holds for what is written */
  after_s: number;
};

/** Messages in which the words stand, those that came last first. */
export type Findings = {
  /** The messages. */
  messages: Array<Message>;
  /** Where to go on, if there may be more. */
  next?: number | null;
};

/** A former member of a group. */
export type Former = {
  /** Who removed him; himself, if he left. */
  by: string;
  /** The member. */
  id: string;
  /** Whether he left by himself. */
  left: boolean;
  /** His name. */
  name: string;
};

/** Says a message's text again in another conversation. */
export type Forward = {
  /** To whom: as in sending. */
  to: string;
};

/** Founds a circle. */
export type Found = {
  /** This device's name in it. */
  device: string;
  /** The founder's name in it. */
  member: string;
  /** The circle's name. */
  name: string;
};

/** A group and who is in it. */
export type Group = {
  /** Who was in it. */
  gone: Array<Former>;
  /** Its conversation. */
  id: string;
  /** Whether one is in it oneself. */
  member: boolean;
  /** Who is in it, the most senior first. */
  members: Array<Participant>;
  /** What it is called. */
  name: string;
  /** How many acts do not count, since their author had been removed by somebody more senior who had not seen them. */
  void: number;
};

/** How the vault is guarded. Whether there is a duress passphrase cannot be asked. */
export type Guard = {
  /** After how many seconds in which the person does nothing the node locks itself; absent for never. */
  lock_after_s?: number | null;
  /** After how many wrong passphrases in a row the vault is destroyed; absent for never. */
  tries?: number | null;
};

/** An invitation that was issued. */
export type Invitation = {
  /** Until when it holds. */
  expires_ms: number;
  /** The charter entry that announces it. */
  id: string;
  /** Who issued it. */
  issued_by: string;
  /** The link to hand over; only on the device that issued it, only while open. */
  link?: string | null;
  /** Whether it adds a device to the member who issued it. */
  own_device: boolean;
  /** The newcomer's role. */
  role: Role;
  /** Where it stands. */
  state: InvitationState;
};

/** Where an invitation stands. */
export type InvitationState = 'open' | 'used' | 'withdrawn' | 'expired' | 'void';

/** Asks for an invitation. */
export type Invite = {
  /** Adds a device to oneself instead of a new member. */
  own_device?: boolean;
  /** The newcomer's role; not used with `own_device`. */
  role: Role;
  /** For how long it holds, in seconds. */
  valid_s: number;
};

/** A token with its secret, which is shown this once: the vault keeps its hash only. */
export type IssuedToken = {
  /** What the client sends as `Authorization: Bearer SECRET`. */
  secret: string;
  /** The token. */
  token: Token;
};

/** Joins a circle by an invitation. */
export type Join = {
  /** This device's name. */
  device: string;
  /** How far back this device takes what was said, in seconds; all of it if absent. */
  history_s?: number | null;
  /** The invitation's link. */
  invitation: string;
  /** The newcomer's name; not used when the invitation adds a device to an existing member. */
  member: string;
};

/** What this device keeps about a conversation for its person alone. What is absent stays as it is. */
export type Keep = {
  /** Whether it is put away. */
  archived?: boolean | null;
  /** Until when there is to be no notice of it; 0 to be told again, the greatest number for ever. */
  muted_until_ms?: number | null;
};

/** A person in the circle. */
export type Member = {
  /** Whether his messages are hidden on this device. */
  blocked?: boolean;
  /** His devices. */
  devices: Array<Device>;
  /** Whether more was not taken, since he has filled his share of this device. */
  full?: boolean;
  /** The member. */
  id: string;
  /** Whether this is oneself. */
  me: boolean;
  /** His name. */
  name: string;
  /** His role: that of his most senior device. */
  role: Role;
  /** How many bytes his messages have taken of this device, erased ones among them. */
  taken?: number;
};

/** One message. */
export type Message = {
  absent?: Absence | null;
  /** The device that wrote it. */
  author: string;
  /** When it was written, as its author's clock had it. */
  claimed_ms: number;
  /** By how much its author's clock is ahead of this device's, if it is by minutes or more. */
  clock_ahead_ms?: number | null;
  /** The conversation. */
  conversation: string;
  /** How far it has come. */
  delivery: Delivery;
  /** When its author gave it the text it has now, as his clock had it. */
  edited_ms?: number | null;
  /** When it is erased. */
  expires_ms?: number | null;
  file?: File | null;
  /** Whether its author's chain was forked: his key or his disk was copied, he is not to be trusted. */
  forked?: boolean;
  /** Whether it was said elsewhere before. */
  forwarded?: boolean;
  /** The message. */
  id: string;
  /** Its Lamport time: with author and seq it gives the order, the same on every device. */
  lamport: number;
  /** The member whose device that is, if the charter still knows him. */
  member?: string | null;
  /** His name. */
  member_name: string;
  /** Members whom it names. */
  mentions?: Array<string>;
  /** Whether it names oneself. */
  mentions_me?: boolean;
  /** Whether one's own device wrote it. */
  mine: boolean;
  /** Whether it stands where all find it. */
  pinned?: boolean;
  progress?: Progress | null;
  /** The signs under it. */
  reactions?: Array<Reaction>;
  reply_to?: Quote | null;
  /** Its number in its author's chain, from 0. */
  seq: number;
  /** When this device stored it. */
  stored_ms: number;
  /** The text; absent when it was erased or is of a kind this program does not know. */
  text?: string | null;
};

/** Founds a group. */
export type NewGroup = {
  /** The other members, each by id or by name. */
  members: Array<string>;
  /** The group's name. */
  name: string;
};

/** Asks for a token. */
export type NewToken = {
  /** What to call it: 1 to 64 characters. */
  name: string;
  /** How much it may do. */
  scope: Scope;
};

/** A link that opens the page in one browser, once. */
export type OpenLink = {
  /** Until when it can be used. */
  expires_ms: number;
  /** The page's address with the one-time secret behind `#`, where no server and no log gets to see it. */
  url: string;
};

/** A part of a conversation, oldest first. */
export type Page = {
  /** The messages, in the conversation's order. */
  messages: Array<Message>;
  /** Whether there are older ones before the first. */
  more: boolean;
};

/** A member of a group. */
export type Participant = {
  /** Whether he gets what was said before he came. */
  history: boolean;
  /** The member. */
  id: string;
  /** How far he is from the group's founder: 0 the founder, 1 whom he brought in, 2 whom those brought in. Whoever has */
  level: number;
  /** Whether one is it oneself. */
  me: boolean;
  /** His name. */
  name: string;
  /** Whether one can remove him oneself. */
  removable: boolean;
};

/** Carries the passphrase that opens the vault; never shown, not even to a debugger's `{:?}`. */
export type Passphrase = {
  /** The passphrase. */
  passphrase: string;
};

/** How far one's own message has come, in words. */
export type Progress = {
  /** What to do about it, if it fails. */
  hint?: string | null;
  /** To how many of the devices it is on its way, or was. */
  sent: number;
  /** The step. */
  step: Step;
  /** The step for a person: `read on 1 of 3 devices`. */
  words: string;
};

/** The message that another one answers. */
export type Quote = {
  /** The message. */
  id: string;
  /** Its author's name; empty if it is not held here. */
  member_name: string;
  /** How its text begins; absent when there is none to show. */
  text?: string | null;
};

/** Puts a sign under a message. */
export type React = {
  /** The sign, at most 32 bytes; an earlier one of oneself gives way to it. */
  sign: string;
};

/** A sign under a message. */
export type Reaction = {
  /** Who put it there. */
  members: Array<string>;
  /** Whether one is oneself. */
  mine: boolean;
  /** Their names. */
  names: Array<string>;
  /** The sign. */
  sign: string;
};

/** Gives something another name. */
export type Rename = {
  /** The name. */
  name: string;
};

/** What a member may do in a circle, from the most to the least. */
export type Role = 'founder' | 'admin' | 'member' | 'guest';

/** What two people compare to be sure that no one sits between their devices. */
export type SafetyWords = {
  /** What the QR code says; the same on both screens. */
  code: string;
  /** The other device. */
  device: Device;
  /** The same 132 bits as twenty-two signs, each with its name. */
  emoji?: Array<Sign>;
  /** Twelve words, the same on both screens (132 bits over circle and both keys). */
  words: Array<string>;
};

/** How much a client may do; each scope holds those before it. */
export type Scope = 'read' | 'write' | 'admin';

/** Sends a message. */
export type Send = {
  /** The text, at most 64 KiB. */
  text: string;
  /** To whom: `everyone`, a member's name or id, a group's name or id, or a conversation's id. */
  to: string;
};

/** Sets how the vault is guarded: all of it, what is absent is off from now on. */
export type SetGuard = {
  /** A passphrase that destroys what is in the vault and opens an empty one. */
  duress?: string | null;
  /** After how many seconds in which the person does nothing the node locks itself: 30 seconds to 30 days. */
  lock_after_s?: number | null;
  /** The passphrase of the vault. */
  passphrase: string;
  /** After how many wrong passphrases in a row the vault is destroyed, three or more. */
  tries?: number | null;
};

/** Gives a member another role. */
export type SetRole = {
  /** The role; a member who was removed comes back in it. */
  role: Role;
};

/** Sets how much of this device a member's messages may take. */
export type Share = {
  /** In bytes, of all that has come, erased or not; at most 1 TiB. 512 MiB unless set. */
  bytes: number;
};

/** A sign that stands for six bits. */
export type Sign = {
  /** What to call it. */
  name: string;
  /** The sign. */
  sign: string;
};

/** The node at a glance. The only thing, with unlocking, that a locked node tells. */
export type Status = {
  /** The circles this device belongs to; empty while locked. */
  circles: Array<Circle>;
  /** Whether the vault is open. */
  locked: boolean;
  /** When this node was started. */
  started_ms: number;
  /** The program's version. */
  version: string;
};

/** How far one's own message has come. */
export type Step = 'failed' | 'stored' | 'sent' | 'delivered' | 'read';

/** A text: an answer, or what a message is to say from now on. */
export type Text = {
  /** The text, at most 64 KiB. `@` and a participant's name mentions him. */
  text: string;
};

/** Trades a one-time link's secret for a session. */
export type Ticket = {
  /** What stood behind `#open=`. */
  ticket: string;
};

/** A client that may use the node over the loopback port. */
export type Token = {
  /** Whether it is a browser's session, made by a one-time link or by unlocking. */
  browser: boolean;
  /** When it ends by itself, if it does. */
  expires_ms?: number | null;
  /** What it is called by when it is revoked: 16 hexadecimal digits, not secret. */
  id: string;
  /** When it was issued. */
  issued_ms: number;
  /** What the person called it. */
  name: string;
  /** How much it may do. */
  scope: Scope;
};

/** Whether there is a vault and whether it is open. */
export type Vault = {
  /** Whether a vault was created in this home. */
  exists: boolean;
  /** Whether its keys are out of memory. */
  locked: boolean;
};

/** The record that a person compared a device's key. */
export type Verified = {
  /** When. */
  at_ms: number;
  /** On which other device of the same person, if it was another. */
  by?: string | null;
  /** How. */
  method: VerifyMethod;
};

/** Confirms that the words or the code were compared. */
export type Verify = {
  /** With [`VerifyMethod::Qr`], what was read from the other screen. */
  code?: string | null;
  /** How they were compared. */
  method: VerifyMethod;
};

/** How two people compared keys. */
export type VerifyMethod = 'words' | 'emoji' | 'qr' | 'accepted';

