import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pictures } from '../../compare/scale/pictures';
import { withTables } from '../../compare/scale/report';
import type { Results } from '../../compare/scale/results';
import { failover, pools, restart, single, start } from '../../compare/scale/scenarios';

const ROOT = resolve(__dirname, '../..');

/** The runs of docs/scale.md, made small: whether what the page says holds, not how large it is. */
describe('a small fleet', () => {
  it('has a connection from each process to each server, and looks at the list spread over time', async () => {
    const [spread, together] = [await start({ processes: 40, servers: 4 }, true, 2), await start({ processes: 40, servers: 4 }, false, 2)];
    expect(spread).toMatchObject({ connections: 160, perServer: 40 });
    for (const { looksPerMinute } of [spread, together]) expect(looksPerMinute).toBeGreaterThan(20);
    // Started within a second, and each after exactly a minute: all within a second again.
    const [fullest, fullestTogether] = [spread, together].map(({ looks }) => Math.max(...looks.slice(30)));
    expect(fullestTogether).toBeGreaterThan(20);
    expect(fullest).toBeLessThan(12);
  });

  it('comes back to a server, and asks for the list, one process after the other', async () => {
    const [spread, together] = [await restart({ processes: 40, servers: 2 }, true, 500), await restart({ processes: 40, servers: 2 }, false, 500)];
    for (const { attempts, errors } of [spread, together]) {
      expect(attempts).toBeGreaterThanOrEqual(40);
      expect(errors).toBeGreaterThan(1);
      expect(errors).toBeLessThan(25);
    }
    expect(spread.mostAttempts).toBeLessThan(5);
    expect(spread.mostLooks).toBeLessThan(5);
    expect(together.mostAttempts).toBeGreaterThan(1.5 * spread.mostAttempts);
    expect(together.mostLooks).toBeGreaterThan(2 * spread.mostLooks);
  });

  it('does without a third of its servers', async () => {
    const { worstErrors, errorsFor, missesFor, othersLoad } = await failover({ processes: 4, servers: 6 }, 'killed', 10_000, 3, 1000);
    expect(worstErrors).toBeGreaterThan(10);
    expect(errorsFor).toBeLessThan(8);
    expect(missesFor).toBeGreaterThan(0);
    expect(othersLoad).toBeGreaterThan(1.3);
    expect(othersLoad).toBeLessThan(1.8);
  });

  it('of plain clients knocks with each call, unless retryTimeout says otherwise', async () => {
    const [always, seldom] = [await single(20, 0), await single(20, 1000)];
    expect(always.attempts).toBeGreaterThan(20 * 50);
    expect(seldom.attempts).toBeLessThan(20 * 10);
  });

  it('of pools has no more connections than they may have', async () => {
    expect(await pools({ processes: 5, servers: 3 }, 1)).toMatchObject({ perServer: 5, connections: 15 });
    const { perServer } = await pools({ processes: 5, servers: 3 }, 4);
    expect(perServer).toBeGreaterThan(10);
    expect(perServer).toBeLessThanOrEqual(20);
  });
});

describe('docs/scale.md', () => {
  const page = readFileSync(join(ROOT, 'docs/scale.md'), 'utf8');
  const results = JSON.parse(readFileSync(join(ROOT, 'compare/scale/results.json'), 'utf8')) as Results;

  it('has the tables and pictures of the last run', () => {
    expect(page).toBe(withTables(page, results));
    for (const [file, picture] of pictures(results)) {
      expect(page).toContain(`](${file})`);
      expect(existsSync(join(ROOT, 'docs', file)) && readFileSync(join(ROOT, 'docs', file), 'utf8')).toBe(picture);
    }
  });

  it('names options that there are', () => {
    const options = readFileSync(join(ROOT, 'docs/options.md'), 'utf8');
    const [, table = ''] = /^## Which option bounds which\n(.*?)^## /ms.exec(page) ?? [];
    const names = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(options).toContain(`| \`${name}\` |`);
  });
});
