/** The names of the options of single calls. They are checked like the arguments that they become. */
import type {
  MetaArithmeticOptions,
  MetaDeleteOptions,
  MetaGetOptions,
  MetaSetOptions,
} from './commands/meta-options';
import type { CallOptions } from './executor';

/** One list for all classic commands, so that an object of options can be used for several of them. */
export const CALL_OPTIONS = { signal: true, expire: true, flags: true, noreply: true, graceful: true };

type MetaNames = CallOptions & MetaGetOptions & MetaSetOptions & MetaDeleteOptions & MetaArithmeticOptions<number>;

export const META_OPTIONS: Readonly<Record<keyof MetaNames, true>> = {
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
