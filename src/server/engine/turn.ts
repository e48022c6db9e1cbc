import type { Clock } from '../../runtime/clock';

/** How many items work in the background looks at in one go, some 0.5 ms, before other work gets its turn. */
export const ITEMS_PER_TURN = 1000;

/** Lets other work have its turn. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.setImmediate(resolve);
  });
}
