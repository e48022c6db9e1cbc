import type { Exchange } from '../exchange';
import { COMPATIBLE_VERSION } from '../version';

/** `stats [topic]` → `STAT <name> <value>` lines, then `END`. */
export function stats(exchange: Exchange): void {
  const { line, store } = exchange;
  if (line.count === 1) {
    general(exchange);
    exchange.reply('END');
    return;
  }
  const topic = line.text(1);
  switch (topic) {
    case 'reset':
      store.stats.reset();
      exchange.reply('RESET');
      break;
    default:
      exchange.reply('ERROR');
  }
}

function general(exchange: Exchange): void {
  const { store, context } = exchange;
  const s = store.stats;
  const stat = (name: string, value: string | number): void => {
    exchange.text(`STAT ${name} ${value}\r\n`);
  };
  stat('pid', process.pid);
  stat('uptime', Math.floor((store.clock.now() - context.startedAt) / 1000));
  stat('version', COMPATIBLE_VERSION);
  stat('get_hits', s.getHits);
  stat('curr_items', store.size);
}
