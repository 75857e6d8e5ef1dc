import { en, type Words } from './words/en';

/** The words in use. */
export const words: Words = en;
