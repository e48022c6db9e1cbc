/** The words that the keys of adapters are made of, beside those of their users. */
import { valueThat, type Rule } from '../options/rule';
import { nodeCrypto } from '../runtime/crypto';

/** A prefix or namespace: part of every key, so it must leave room for the rest. */
export const WORD: Rule<string> = valueThat(
  '1 to 100 printable ASCII characters without whitespace',
  (value) => typeof value === 'string' && /^[\x21-\x7e]{1,100}$/.test(value),
);

/** A random word that is never repeated. */
export function uniqueWord(): string {
  return nodeCrypto().randomBytes(9).toString('base64url');
}

/** Whether `word` may be one that {@link uniqueWord} has made. */
export function isUniqueWord(word: string): boolean {
  return /^[\w-]{12}$/.test(word);
}
