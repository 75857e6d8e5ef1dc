// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { ApiError } from './generated';

/** What to do about a file. */
export type DoFile = {
  /** What. */
  act: FileAct;
};

/** A file that was offered in a conversation. */
export type File = {
  /** In which conversation. */
  conversation: string;
  /** How many bytes of it this device gave to others since it was unlocked. */
  given?: number;
  /** How many bytes of it are here, verified and stored. */
  held: number;
  /** The file: the same wherever the same bytes are offered in this circle. */
  id: string;
  /** What sort of thing it is, as a media type; what its author says, or an empty text. */
  kind: string;
  /** How many seconds it takes at that rate. */
  left_s?: number | null;
  /** Whose device offers it. */
  member_name: string;
  /** The message that offers it. */
  message: string;
  /** Whether one's own device offers it. */
  mine: boolean;
  /** A name under which it can be put into any folder. */
  name: string;
  /** When it was offered, as its author's clock had it. */
  offered_ms: number;
  /** How many bytes come in a second at present. */
  rate?: number | null;
  /** Its size in bytes. */
  size: number;
  /** Devices that gave something of it since it was last begun. */
  sources?: Array<FileSource>;
  /** How it stands on this device. */
  state: FileState;
  /** How it stands, in words. */
  words: string;
};

/** What to do about a file. */
export type FileAct = 'accept' | 'pause' | 'cancel';

/** A file that is being taken in or put out. */
export type FileJob = {
  /** How many of them are done. */
  done: number;
  error?: ApiError | null;
  /** Its number while the node runs. */
  id: number;
  /** The message that offers the file, once it was taken in. */
  message?: string | null;
  /** The file's name. */
  name: string;
  /** Whether it is over, well or not. */
  over: boolean;
  /** Where it was put, once it is there. */
  path?: string | null;
  /** How many bytes there are to do. */
  size: number;
};

/** How much room files get in a circle, and which come by themselves. */
export type FilePolicy = {
  /** Up to how many bytes a file of a verified device is fetched without asking. */
  auto: number;
  /** How many bytes of files are kept at most; 0 for as many as the disk takes. */
  quota: number;
  /** How many bytes of files are kept or being fetched. */
  used: number;
};

/** A device that a file came from. */
export type FileSource = {
  /** Why it is asked no more for this file, if so. */
  banned?: string | null;
  /** How many bytes it gave. */
  bytes: number;
  /** The device. */
  device: string;
  /** Whose and which. */
  name: string;
};

/** How a file stands on this device. */
export type FileState = 'offered' | 'waiting' | 'fetching' | 'paused' | 'held';

/** Puts a file into a folder, as plain bytes. */
export type SaveFile = {
  /** Whether a file that is there is replaced. Otherwise, in a folder, another name is found; and a path is refused. */
  overwrite?: boolean;
  /** A folder, or the path of the new file, from the root. */
  path: string;
};

/** Offers a file of this machine. */
export type SendFile = {
  /** What to call it; by default the path's last part. */
  name?: string | null;
  /** The file's path, from the root. */
  path: string;
  /** What to say with it. */
  text?: string;
  /** To whom: `everyone`, a member's name or id, a group's name or id, or a conversation's id. */
  to: string;
};

/** Sets how much room files get in a circle; what is left out stays as it is. */
export type SetFilePolicy = {
  /** As in [`FilePolicy`]. */
  auto?: number | null;
  /** As in [`FilePolicy`]. */
  quota?: number | null;
};

