import type { Random } from '../command-sequences';
import { respRequest } from './redis-talk';

/** Opens the servers that have one. */
export const PASSWORD = 'sesame';

const KEYS = ['k', 'n', 'key', 'a b', '\xff\0', 'K', 'ключ'];
const INTEGERS = ['0', '1', '-1', '10', '100', '9223372036854775807', '-9223372036854775808'];
const NOT_INTEGERS = ['', 'x', '01', '+1', '-0', '1.5', '9223372036854775808', '1e3', '- 1'];
const VALUES = ['v', '', 'a value', 'two\r\nlines', '\0\xff', '"quoted"', ...INTEGERS, 'x'.repeat(300)];
const CONDITIONS = ['NX', 'XX', 'GT', 'LT', 'nx', 'Xx'];
const TIMES = ['100', '100', '1000', '100000', '9223372036854775', '9223372036854775807', '0', '-1', 'x'];

/**
 * Writes random commands whose answers do not depend on chance or on the very moment. Left out is what is meant to
 * differ from Redis: see the list in docs/redis.md.
 */
export class RedisCommandWriter {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The arguments of a command, its name first. */
  next(): string[] {
    const { pick, below } = this;
    const args = pick<() => string[]>([
      () => ['SET', this.key(), this.value()],
      () => ['set', this.key(), this.value(), ...this.setOptions()],
      () => ['SETEX', this.key(), pick(TIMES), this.value()],
      () => ['PSETEX', this.key(), pick(TIMES), this.value()],
      () => ['SETNX', this.key(), this.value()],
      () => ['GETSET', this.key(), this.value()],
      () => ['get', this.key()],
      () => ['GETDEL', this.key()],
      () => ['GETEX', this.key(), ...pick([[], ['PERSIST'], ['EX', pick(TIMES)], ['PX'], ['EX', '1', 'PERSIST']])],
      () => ['MGET', this.key(), this.key(), this.key()],
      () => ['MSET', this.key(), this.value(), this.key(), this.value()],
      () => ['APPEND', this.key(), this.value()],
      () => ['STRLEN', this.key()],
      () => [pick(['INCR', 'DECR', 'incr']), this.key()],
      () => [pick(['INCRBY', 'DECRBY']), this.key(), pick([...INTEGERS, ...NOT_INTEGERS])],
      () => ['EXPIRE', this.key(), pick(TIMES), ...pick([[], [pick(CONDITIONS)], [pick(CONDITIONS), pick(CONDITIONS)], ['x']])],
      () => ['PEXPIRE', this.key(), pick(TIMES), ...pick([[], [pick(CONDITIONS)]])],
      () => ['TTL', this.key()],
      () => ['PERSIST', this.key()],
      () => [pick(['DEL', 'UNLINK', 'EXISTS']), this.key(), this.key()],
      () => ['TYPE', this.key()],
      () => ['DBSIZE'],
      () => [pick(['PING', 'ECHO']), this.value()],
      () => ['PING'],
      () => ['SELECT', pick(['0', 'x', '99', '9999999999'])],
      () => ['HELLO', ...pick([[], ['2'], ['3'], ['4'], ['x'], ['2', 'SETNAME', 'me'], ['2', 'what']])],
      () => ['CLIENT', ...pick([['GETNAME'], ['SETNAME', 'me'], ['SETNAME', 'a b'], ['nosuch'], ['GETNAME', 'x'], []])],
      () => ['AUTH', ...pick([[PASSWORD], ['default', PASSWORD], ['x'], ['default', 'x'], ['me', 'x'], ['a', 'b', 'c']])],
      () => [pick(['MULTI', 'MULTI', 'EXEC', 'EXEC', 'DISCARD', 'UNWATCH'])],
      () => ['WATCH', this.key()],
      () => [pick(['nosuch', 'no such', 'nosuch\0', 'nosuch\r\n', 'x'.repeat(200), '']), this.value(), this.value()],
      () => ['RESET'],
      () => ['FLUSHALL', ...pick([[], ['ASYNC'], ['x']])],
    ])();
    // Sometimes an argument too many, or too few.
    const odd = below(40);
    if (odd === 0) args.push('more');
    else if (odd === 1 && args.length > 1) args.pop();
    return args;
  }

  /** The command as clients send it: an array, or a line. */
  request(args: readonly string[]): string {
    if (this.below(4) !== 0) return respRequest(...args);
    const words = args.map((arg) => (/^[!#-&(-~]+$/.test(arg) ? arg : quoted(arg)));
    return words.join(this.pick([' ', '  ', '\t'])) + this.pick(['\r\n', '\n', ' \r\n', '\n\n']);
  }

  key(): string {
    return this.pick(KEYS.map((key) => Buffer.from(key).toString('latin1')));
  }

  value(): string {
    return this.pick(VALUES);
  }

  setOptions(): string[] {
    const options = ['EX', 'PX', 'KEEPTTL', 'NX', 'XX', 'GET', 'ex', 'what'];
    return Array.from({ length: this.below(4) }, () => this.pick(options)).flatMap((option) =>
      /^[ep]x$/i.test(option) && this.below(10) > 0 ? [option, this.pick(TIMES)] : [option],
    );
  }

  readonly pick = <T>(choices: readonly T[]): T => this.#random.pick(choices);
  readonly below = (limit: number): number => this.#random.below(limit);
}

/** `arg` in double quotes, for an inline command. */
function quoted(arg: string): string {
  const escaped = arg.replace(/["\\]/g, '\\$&').replace(/[^ -~]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}
