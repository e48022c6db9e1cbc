import { join } from 'node:path';
import { report } from '../../reliability/report';
import { runAlone } from '../../support/program';
import type { Figures } from './million-child';

it('a million items take less than 200 bytes each beyond key and value, and expire while others get their turn', async () => {
  const { items, beyond, pauses, took } = await runAlone<Figures>(join(__dirname, 'million-child.ts'));
  // How long the pauses are depends on what else the machine does: in how large slices, store.test.ts says.
  console.log(`${items} items expired in ${took} ms; pauses of the event loop in ms: ${JSON.stringify(pauses)}`);
  const most = Math.max(...beyond);
  report({ goal: 'item-memory', claim: 'Bytes per item of the embedded server, beyond key and value', n: items, value: most, limit: 200, pass: most < 200 });
});
