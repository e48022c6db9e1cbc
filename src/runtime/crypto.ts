import type * as crypto from 'node:crypto';

/** `node:crypto`, loaded on first use: few programs need it, and importing it takes 3 ms. */
export function nodeCrypto(): typeof crypto {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  return require('node:crypto') as typeof crypto;
}
