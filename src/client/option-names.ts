/** Which options there are. A name that nobody knows is a mistake that would go unnoticed: an item stored with `{ ttl: 60 }` never expires. */
import { MemcacheIllegalInputError } from '../errors';
import type {
  MetaArithmeticOptions,
  MetaDeleteOptions,
  MetaGetOptions,
  MetaSetOptions,
} from '../protocol/meta-flags';
import type { ClientOptions } from './client-options';
import type { CallOptions } from './executor';

/** All names of `Options`, none of which can be forgotten. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

export const CLIENT_OPTION_NAMES: OptionNames<ClientOptions<unknown>> = {
  connectTimeout: true,
  timeout: true,
  noDelay: true,
  keepAlive: true,
  tls: true,
  auth: true,
  maxPending: true,
  maxValueSize: true,
  clock: true,
  connect: true,
  serde: true,
  keyPrefix: true,
  allowUnicodeKeys: true,
  defaultNoreply: true,
  ignoreErrors: true,
};

/** Those of all classic commands: who keeps one object for several of them need not take it apart. */
export const CALL_OPTION_NAMES = { signal: true, expire: true, flags: true, noreply: true, graceful: true };

type MetaNames = CallOptions & MetaGetOptions & MetaSetOptions & MetaDeleteOptions & MetaArithmeticOptions<number>;

export const META_OPTION_NAMES: OptionNames<MetaNames> = {
  signal: true,
  base64: true,
  opaque: true,
  value: true,
  cas: true,
  ttl: true,
  size: true,
  flags: true,
  hitBefore: true,
  lastAccess: true,
  noLruBump: true,
  expire: true,
  vivify: true,
  recache: true,
  unlessCas: true,
  newCas: true,
  mode: true,
  invalidate: true,
  returnCas: true,
  removeValue: true,
  delta: true,
  initial: true,
  returnTtl: true,
};

/** @throws MemcacheIllegalInputError for what is no object, and for a name that is not known */
export function checkOptionNames(options: unknown, known: object): void {
  if (typeof options !== 'object' || options === null) {
    throw new MemcacheIllegalInputError('options must be an object, for example { expire: 60 }');
  }
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    throw new MemcacheIllegalInputError(`there is no option ${JSON.stringify(name.slice(0, 40))}; there are ${Object.keys(known).join(', ')}`);
  }
}
