import fc from 'fast-check';

const FIRST_HALF = 0xd800;
const HALVES = 0x800;

/**
 * Any character: a unit for `fc.string`. That of fast-check, 'binary', makes a table of a million characters first, which takes a second in
 * each file.
 */
export const anyCharacter = fc.integer({ min: 0, max: 0x10ffff - HALVES }).map((index) => String.fromCodePoint(index < FIRST_HALF ? index : index + HALVES), indexOf);

/** Any code unit: strings of it have halves of characters too. */
export const anyCodeUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));

/** The way back, so that fast-check puts in strings of its own that it knows to be dangerous. */
function indexOf(character: unknown): number {
  const code = typeof character === 'string' ? (character.codePointAt(0) ?? 0) : 0;
  if (character !== String.fromCodePoint(code) || !character.isWellFormed()) throw new Error('not one character');
  return code < FIRST_HALF ? code : code - HALVES;
}
