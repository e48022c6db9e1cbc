import { SYNTAX_ERROR, type RedisExchange } from './exchange';
import { MILLISECONDS, SECONDS, UNIX_MILLISECONDS, UNIX_SECONDS, type TimeForm } from './time';

/** Options that are followed by a time. */
const TIMES: ReadonlyMap<string, TimeForm> = new Map([
  ['ex', SECONDS],
  ['px', MILLISECONDS],
  ['exat', UNIX_SECONDS],
  ['pxat', UNIX_MILLISECONDS],
]);

/** Of each group only one option may be given. */
const LIFE = ['ex', 'px', 'exat', 'pxat', 'keepttl', 'persist'];
const CONDITION = ['nx', 'xx'];

/** The options of SET and GETEX. */
export interface ValueOptions {
  readonly words: ReadonlySet<string>;
  /** The index of the time, and how it is given. */
  readonly time: { readonly index: number; readonly form: TimeForm } | undefined;
}

/** Reads the options from the argument `from` on, or sends the error. */
export function readOptions(
  exchange: RedisExchange,
  from: number,
  known: ReadonlySet<string>,
): ValueOptions | undefined {
  const { request } = exchange;
  const words = new Set<string>();
  let time: ValueOptions['time'];
  for (let index = from; index < request.count; index++) {
    const word = request.word(index);
    const group = LIFE.includes(word) ? LIFE : CONDITION.includes(word) ? CONDITION : [];
    const form = TIMES.get(word);
    const conflict = group.some((other) => other !== word && words.has(other));
    if (!known.has(word) || conflict || (form !== undefined && index + 1 === request.count)) {
      exchange.error(SYNTAX_ERROR);
      return undefined;
    }
    words.add(word);
    if (form !== undefined) time = { index: ++index, form };
  }
  return { words, time };
}
