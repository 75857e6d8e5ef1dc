// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { AddToGroup, Check, Circle, Contact, Conversation, Device, DoFile, Draft, Event, Expire, File, FileJob, FilePolicy, Findings, Forward, Found, FoundRecoverable, Group, Guard, Invitation, Invite, IssuedToken, Join, Keep, Member, Message, NewGroup, NewSheets, NewStreamOffer, NewToken, OpenLink, OpenStream, Page, Passphrase, React, Recovery, Rename, SafetyWords, SaveFile, Send, SendFile, SetFilePolicy, SetGuard, SetRole, Share, SheetWords, Sheets, Status, StreamEnd, StreamGrant, StreamListener, StreamOffer, StreamPolicy, Streams, Text, Ticket, Token, Tunnel, UseSheets, Vault, Verify } from './generated';

/** All calls: what stands in the address, behind the question mark, in the body, and what comes back. */
export interface Calls {
  /** Lists the circles this device belongs to or is about to join. */
  'GET /v1/circles': { path: unknown; query: unknown; body: undefined; answer: Array<Circle> };
  /** Founds a circle with this device as its first. */
  'POST /v1/circles': { path: unknown; query: unknown; body: Found; answer: Circle };
  /** Shows one circle. */
  'GET /v1/circles/{circle}': { path: { circle: string }; query: unknown; body: undefined; answer: Circle };
  /** Lists the addresses this device has exchanged packets with, in the last day or since it was unlocked. */
  'GET /v1/circles/{circle}/contacts': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Contact> };
  /** Lists the circle's conversations. */
  'GET /v1/circles/{circle}/conversations': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Conversation> };
  /** Founds a group. */
  'POST /v1/circles/{circle}/conversations': { path: { circle: string }; query: unknown; body: NewGroup; answer: Conversation };
  /** Shows one conversation, named as in sending. */
  'GET /v1/circles/{circle}/conversations/{conversation}': { path: { circle: string; conversation: string }; query: unknown; body: undefined; answer: Conversation };
  /** Keeps what was written and not sent, on this device. */
  'PUT /v1/circles/{circle}/conversations/{conversation}/draft': { path: { circle: string; conversation: string }; query: unknown; body: Draft; answer: undefined };
  /** Sets after what time what is written from now on is erased, on every device. */
  'PUT /v1/circles/{circle}/conversations/{conversation}/expiry': { path: { circle: string; conversation: string }; query: unknown; body: Expire; answer: undefined };
  /** Leaves a group. */
  'DELETE /v1/circles/{circle}/conversations/{conversation}/group': { path: { circle: string; conversation: string }; query: unknown; body: undefined; answer: Group };
  /** Shows who is in a group. */
  'GET /v1/circles/{circle}/conversations/{conversation}/group': { path: { circle: string; conversation: string }; query: unknown; body: undefined; answer: Group };
  /** Gives a group another name, for all. */
  'PUT /v1/circles/{circle}/conversations/{conversation}/group': { path: { circle: string; conversation: string }; query: unknown; body: Rename; answer: Group };
  /** Brings members into a group. */
  'POST /v1/circles/{circle}/conversations/{conversation}/group/members': { path: { circle: string; conversation: string }; query: unknown; body: AddToGroup; answer: Group };
  /** Takes a member out of a group: from here on he gets nothing of it. */
  'DELETE /v1/circles/{circle}/conversations/{conversation}/group/members/{member}': { path: { circle: string; conversation: string; member: string }; query: unknown; body: undefined; answer: Group };
  /** Puts a conversation away or mutes it, for this device's person alone. */
  'PUT /v1/circles/{circle}/conversations/{conversation}/keep': { path: { circle: string; conversation: string }; query: unknown; body: Keep; answer: Conversation };
  /** Reads a part of a conversation, oldest message first. */
  'GET /v1/circles/{circle}/conversations/{conversation}/messages': { path: { circle: string; conversation: string }; query: { before?: string; limit?: number }; body: undefined; answer: Page };
  /** Reads what this device wrote in a conversation, oldest first, up to 1,000 messages; empty after the last. */
  'GET /v1/circles/{circle}/conversations/{conversation}/own': { path: { circle: string; conversation: string }; query: { from?: number }; body: undefined; answer: Array<Message> };
  /** Lists the messages that were put where all find them, the last one put there first. */
  'GET /v1/circles/{circle}/conversations/{conversation}/pins': { path: { circle: string; conversation: string }; query: unknown; body: undefined; answer: Array<Message> };
  /** Marks everything that is stored of a conversation as read. */
  'POST /v1/circles/{circle}/conversations/{conversation}/read': { path: { circle: string; conversation: string }; query: unknown; body: undefined; answer: undefined };
  /** Lists the circle's devices. */
  'GET /v1/circles/{circle}/devices': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Device> };
  /** Removes a device. */
  'DELETE /v1/circles/{circle}/devices/{device}': { path: { circle: string; device: string }; query: unknown; body: undefined; answer: undefined };
  /** Gives the words and the code that this device and another must share. */
  'GET /v1/circles/{circle}/devices/{device}/safety-words': { path: { circle: string; device: string }; query: unknown; body: undefined; answer: SafetyWords };
  /** Takes that record back. */
  'DELETE /v1/circles/{circle}/devices/{device}/verification': { path: { circle: string; device: string }; query: unknown; body: undefined; answer: Device };
  /** Records that a person compared the words or the code and found them the same. */
  'PUT /v1/circles/{circle}/devices/{device}/verification': { path: { circle: string; device: string }; query: unknown; body: Verify; answer: Device };
  /** Tells how much room files get in a circle, and which come by themselves. */
  'GET /v1/circles/{circle}/file-policy': { path: { circle: string }; query: unknown; body: undefined; answer: FilePolicy };
  /** Sets how much room files get in a circle, and which come by themselves. */
  'PUT /v1/circles/{circle}/file-policy': { path: { circle: string }; query: unknown; body: SetFilePolicy; answer: FilePolicy };
  /** Lists the files that were offered, the newest first, up to 1,000. */
  'GET /v1/circles/{circle}/files': { path: { circle: string }; query: { conversation?: string }; body: undefined; answer: Array<File> };
  /** Begins to take in a file of this machine and to offer it; the answer is the job that does it. */
  'POST /v1/circles/{circle}/files': { path: { circle: string }; query: unknown; body: SendFile; answer: FileJob };
  /** Shows the file that a message offers. */
  'GET /v1/circles/{circle}/files/{message}': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: File };
  /** Accepts a file or goes on with it, pauses it, or cancels it and erases what is here of it. */
  'POST /v1/circles/{circle}/files/{message}': { path: { circle: string; message: string }; query: unknown; body: DoFile; answer: File };
  /** Begins to put a file out as plain bytes; the answer is the job that does it. */
  'POST /v1/circles/{circle}/files/{message}/save': { path: { circle: string; message: string }; query: unknown; body: SaveFile; answer: FileJob };
  /** Lists the circle's invitations. */
  'GET /v1/circles/{circle}/invitations': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Invitation> };
  /** Issues an invitation. */
  'POST /v1/circles/{circle}/invitations': { path: { circle: string }; query: unknown; body: Invite; answer: Invitation };
  /** Withdraws an invitation. */
  'DELETE /v1/circles/{circle}/invitations/{invitation}': { path: { circle: string; invitation: string }; query: unknown; body: undefined; answer: undefined };
  /** Leaves the circle with this device; what it holds stays readable on it. */
  'POST /v1/circles/{circle}/leave': { path: { circle: string }; query: unknown; body: undefined; answer: undefined };
  /** Lists the circle's members. */
  'GET /v1/circles/{circle}/members': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Member> };
  /** Removes a member with all his devices. */
  'DELETE /v1/circles/{circle}/members/{member}': { path: { circle: string; member: string }; query: unknown; body: undefined; answer: undefined };
  /** Shows a member's messages on this device again. */
  'DELETE /v1/circles/{circle}/members/{member}/block': { path: { circle: string; member: string }; query: unknown; body: undefined; answer: undefined };
  /** Hides a member's messages on this device. */
  'PUT /v1/circles/{circle}/members/{member}/block': { path: { circle: string; member: string }; query: unknown; body: undefined; answer: undefined };
  /** Gives a member another role, with all his devices; one who was removed comes back in it. */
  'PUT /v1/circles/{circle}/members/{member}/role': { path: { circle: string; member: string }; query: unknown; body: SetRole; answer: undefined };
  /** Sets how much of this device a member's messages may take; what was refused is asked for again. */
  'PUT /v1/circles/{circle}/members/{member}/share': { path: { circle: string; member: string }; query: unknown; body: Share; answer: undefined };
  /** Finds messages whose ids begin as given: what a person types needs not be whole. */
  'GET /v1/circles/{circle}/messages': { path: { circle: string }; query: { id: string }; body: undefined; answer: Array<Message> };
  /** Sends a message; answers once it is stored durably on this device. */
  'POST /v1/circles/{circle}/messages': { path: { circle: string }; query: unknown; body: Send; answer: Message };
  /** Takes one's own message back: its text is erased on every device. */
  'DELETE /v1/circles/{circle}/messages/{message}': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: Message };
  /** Shows one message as it is now. */
  'GET /v1/circles/{circle}/messages/{message}': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: Message };
  /** Gives one's own message another text. */
  'PUT /v1/circles/{circle}/messages/{message}': { path: { circle: string; message: string }; query: unknown; body: Text; answer: Message };
  /** Says a message's text again in another conversation, without saying whose it was. */
  'POST /v1/circles/{circle}/messages/{message}/forward': { path: { circle: string; message: string }; query: unknown; body: Forward; answer: Message };
  /** Takes a message away from where all find it. */
  'DELETE /v1/circles/{circle}/messages/{message}/pin': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: Message };
  /** Puts a message where all find it. */
  'PUT /v1/circles/{circle}/messages/{message}/pin': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: Message };
  /** Takes one's sign under a message away. */
  'DELETE /v1/circles/{circle}/messages/{message}/reaction': { path: { circle: string; message: string }; query: unknown; body: undefined; answer: Message };
  /** Puts one's sign under a message, in place of an earlier one. */
  'PUT /v1/circles/{circle}/messages/{message}/reaction': { path: { circle: string; message: string }; query: unknown; body: React; answer: Message };
  /** Answers a message, in its conversation. */
  'POST /v1/circles/{circle}/messages/{message}/reply': { path: { circle: string; message: string }; query: unknown; body: Text; answer: Message };
  /** Shows whether a circle's founder can be brought back, and whether he was. */
  'GET /v1/circles/{circle}/recovery': { path: { circle: string }; query: unknown; body: undefined; answer: Recovery };
  /** Makes recovery sheets for a circle that has none; they are shown only in this answer. */
  'POST /v1/circles/{circle}/recovery': { path: { circle: string }; query: unknown; body: NewSheets; answer: Sheets };
  /** Says which of the circle's recovery sheets somebody has, from 1. */
  'POST /v1/circles/{circle}/recovery/check': { path: { circle: string }; query: unknown; body: SheetWords; answer: number };
  /** Puts this device in the founder's place with enough recovery sheets, and removes his other devices. */
  'POST /v1/circles/{circle}/recovery/use': { path: { circle: string }; query: unknown; body: UseSheets; answer: Sheets };
  /** Looks for words in all that is held of a circle; those that came last first. */
  'GET /v1/circles/{circle}/search': { path: { circle: string }; query: { words: string; conversation?: string; from?: number; limit?: number }; body: undefined; answer: Findings };
  /** Listens on this machine for programs that want what another device offers, until it is closed or the node locks. */
  'POST /v1/circles/{circle}/stream-listeners': { path: { circle: string }; query: unknown; body: OpenStream; answer: StreamListener };
  /** Listens no more; flows that are open go on. */
  'DELETE /v1/circles/{circle}/stream-listeners/{listener}': { path: { circle: string; listener: number }; query: unknown; body: undefined; answer: undefined };
  /** Waits up to a minute until the flow of a listener that is, or was, for one is over, and tells how it ended. */
  'GET /v1/circles/{circle}/stream-listeners/{listener}/end': { path: { circle: string; listener: number }; query: unknown; body: undefined; answer: StreamEnd };
  /** Sets the rules of this device for streams; what is against them ends. */
  'PUT /v1/circles/{circle}/stream-policy': { path: { circle: string }; query: unknown; body: StreamPolicy; answer: StreamPolicy };
  /** Tells what is offered, listened for and open in a circle, and what was refused lately. */
  'GET /v1/circles/{circle}/streams': { path: { circle: string }; query: unknown; body: undefined; answer: Streams };
  /** Offers a stream to members; it stays offered after a restart. */
  'POST /v1/circles/{circle}/streams': { path: { circle: string }; query: unknown; body: NewStreamOffer; answer: StreamOffer };
  /** Offers a stream no more, and ends its flows. */
  'DELETE /v1/circles/{circle}/streams/{name}': { path: { circle: string; name: string }; query: unknown; body: undefined; answer: undefined };
  /** Tells how the last flow of an offer ended; if there was none, waits up to a minute for one to end. */
  'GET /v1/circles/{circle}/streams/{name}/end': { path: { circle: string; name: string }; query: unknown; body: undefined; answer: StreamEnd };
  /** Grants an offered stream to more. */
  'POST /v1/circles/{circle}/streams/{name}/grant': { path: { circle: string; name: string }; query: unknown; body: StreamGrant; answer: StreamOffer };
  /** Takes an offered stream from some, and ends their flows. */
  'POST /v1/circles/{circle}/streams/{name}/revoke': { path: { circle: string; name: string }; query: unknown; body: StreamGrant; answer: StreamOffer };
  /** Lists the tunnels to the circle's other devices, and the attempts at them. */
  'GET /v1/circles/{circle}/tunnels': { path: { circle: string }; query: unknown; body: undefined; answer: Array<Tunnel> };
  /** Streams what happens, from now on, as server-sent events with an `Event` in JSON each. */
  'GET /v1/events': { path: unknown; query: unknown; body: undefined; answer: Event };
  /** Tells how a job goes. */
  'GET /v1/file-jobs/{job}': { path: { job: number }; query: unknown; body: undefined; answer: FileJob };
  /** Tells how the vault is guarded; not whether there is a duress passphrase. */
  'GET /v1/guard': { path: unknown; query: unknown; body: undefined; answer: Guard };
  /** Sets how the vault is guarded: locking by itself, counted tries, a passphrase that empties it. */
  'PUT /v1/guard': { path: unknown; query: unknown; body: SetGuard; answer: Guard };
  /** Begins to join a circle; an event of kind `standing` tells the outcome. */
  'POST /v1/join': { path: unknown; query: unknown; body: Join; answer: Circle };
  /** Closes all tunnels and the vault and drops the keys from memory. */
  'POST /v1/lock': { path: unknown; query: unknown; body: undefined; answer: undefined };
  /** Says that the person is there: what front ends ask by themselves does not keep the node from locking itself. */
  'POST /v1/present': { path: unknown; query: unknown; body: undefined; answer: undefined };
  /** Founds a circle with recovery sheets, which are shown only in this answer. */
  'POST /v1/recoverable': { path: unknown; query: unknown; body: FoundRecoverable; answer: Sheets };
  /** Lets the node check itself. */
  'GET /v1/selfcheck': { path: unknown; query: unknown; body: undefined; answer: Array<Check> };
  /** Tells how the node stands; answers a locked node too. */
  'GET /v1/status': { path: unknown; query: unknown; body: undefined; answer: Status };
  /** Asks the node to close its tunnels and its vault and to end; answers before it has. */
  'POST /v1/stop': { path: unknown; query: unknown; body: undefined; answer: undefined };
  /** Lists the clients that may use the loopback port. */
  'GET /v1/tokens': { path: unknown; query: unknown; body: undefined; answer: Array<Token> };
  /** Issues a token; its secret is in this answer and nowhere else. */
  'POST /v1/tokens': { path: unknown; query: unknown; body: NewToken; answer: IssuedToken };
  /** Revokes a token: its client gets nothing any more, and what it listens to ends. */
  'DELETE /v1/tokens/{token}': { path: { token: string }; query: unknown; body: undefined; answer: undefined };
  /** Opens the vault. */
  'POST /v1/unlock': { path: unknown; query: unknown; body: Passphrase; answer: undefined };
  /** Tells whether there is a vault and whether it is open. */
  'GET /v1/vault': { path: unknown; query: unknown; body: undefined; answer: Vault };
  /** Creates the vault under a passphrase and leaves it open. */
  'POST /v1/vault': { path: unknown; query: unknown; body: Passphrase; answer: undefined };
  /** Makes a link that opens the page in one browser, once. */
  'POST /v1/web/link': { path: unknown; query: unknown; body: undefined; answer: OpenLink };
  /** Ends the session of the browser that asks. */
  'DELETE /v1/web/session': { path: unknown; query: unknown; body: undefined; answer: undefined };
  /** Trades a one-time link's secret for a session: a cookie that only this browser sends and only to this node. */
  'POST /v1/web/session': { path: unknown; query: unknown; body: Ticket; answer: undefined };
  /** Destroys the vault with all that is in it, open or not; nothing can be brought back. */
  'POST /v1/wipe': { path: unknown; query: unknown; body: undefined; answer: undefined };
}
