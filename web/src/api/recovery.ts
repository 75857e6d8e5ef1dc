// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.

import type { Circle, Found } from './generated';

/** Founds a circle whose founder can be brought back. */
export type FoundRecoverable = {
  /** The circle. */
  found: Found;
  /** The sheets. */
  sheets: NewSheets;
};

/** How many sheets there are to be, and how many of them bring the founder back. */
export type NewSheets = {
  /** How many it takes: more than half. */
  needed: number;
  /** How many there are, 16 at most. */
  of: number;
};

/** A circle's recovery keys and what was done with them. */
export type Recovery = {
  /** How many sheets bring the founder back; 0 if there are none. */
  needed: number;
  /** How many sheets there are. */
  of: number;
  /** Their uses, in order. */
  uses: Array<RecoveryUse>;
};

/** A use of recovery keys. */
export type RecoveryUse = {
  /** When, by its clock. */
  at_ms: number;
  /** The device that was put in the founder's place. */
  device: string;
  /** The charter's entry. */
  entry: string;
  /** Its name, and its member's. */
  name: string;
  /** Whether one's own device is it, or this person has verified the device since. */
  noticed: boolean;
};

/** One recovery key's private half, to be printed and kept away from all devices; never shown, not even to a */
export type Sheet = {
  /** Which one, from 1. */
  number: number;
  /** Its sixteen words. */
  words: string;
};

/** The words of a sheet, as they were typed in. */
export type SheetWords = {
  /** The words. */
  words: string;
};

/** New sheets: the only time that they are shown. The node keeps none. */
export type Sheets = {
  /** The circle they are for. */
  circle: Circle;
  /** How many of them it takes. */
  needed: number;
  /** The sheets. */
  sheets: Array<Sheet>;
};

/** Puts this device in the founder's place. */
export type UseSheets = {
  renew?: NewSheets | null;
  /** The words of enough sheets. */
  sheets: Array<string>;
};

