import { option, type OptionTable } from '../../options/option';
import { objectWith } from '../../options/rule';
import { STORE } from '../engine/store';
import { LISTENER_OPTIONS, type ListenerOptions } from '../net/options';
import { SHARED_OPTIONS } from '../shared/context';
import type { SaveControl } from '../snapshot/save-control';
import type { RedisContextOptions } from './commands/context';

/** How a {@link RedisServer} is set up. */
export interface RedisServerOptions extends ListenerOptions, RedisContextOptions {}

/** The options of a {@link RedisServer}; the store must be given. */
export const REDIS_OPTIONS = {
  ...LISTENER_OPTIONS,
  ...SHARED_OPTIONS,
  store: STORE,
  saveControl: option(objectWith<SaveControl>('a Persistence', 'save')),
} satisfies OptionTable<RedisServerOptions>;
