import { checkOptions, objectWith, required, type Rules } from '../../options/rules';
import { STORE } from '../engine/options';
import { LISTENER_RULES, type ListenerOptions } from '../net/options';
import { SHARED_RULES } from '../shared/context';
import type { RedisContextOptions } from './commands/context';

/** How a {@link RedisServer} is set up. */
export interface RedisServerOptions extends ListenerOptions, RedisContextOptions {}

const RULES: Rules<RedisServerOptions> = {
  ...LISTENER_RULES,
  ...SHARED_RULES,
  store: required(STORE),
  saveControl: objectWith('a Persistence', 'save'),
};

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkRedisOptions(options: RedisServerOptions): void {
  checkOptions(options, RULES);
}
