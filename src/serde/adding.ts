/** Commands that put bytes beside a value, whose flags stay: nothing tells a reader where they begin. */
import { MemcacheSerdeError } from '../errors';

/** Whether `verb` is `append` or `prepend`. */
export function isAdding(verb: string | undefined): boolean {
  return verb === 'append' || verb === 'prepend';
}

/** @throws MemcacheSerdeError when `verb` adds to a value: `what` is no longer one with bytes beside it */
export function refuseAdding(verb: string | undefined, what: string): void {
  if (isAdding(verb)) throw new MemcacheSerdeError(`${verb} would make ${what} unreadable: read the value, change it, and store it with cas`);
}
