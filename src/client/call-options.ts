/** The names of the options of single calls. They are checked like the arguments that they become. */
import { META_FLAGS } from './commands/meta-options';

/** One list for all classic commands, so that an object of options can be used for several of them. */
export const CALL_OPTIONS = { signal: true, expire: true, flags: true, noreply: true, graceful: true };

/** And one for all meta commands. */
export const META_OPTIONS = { signal: true, ...META_FLAGS.mg, ...META_FLAGS.ms, ...META_FLAGS.md, ...META_FLAGS.ma };
