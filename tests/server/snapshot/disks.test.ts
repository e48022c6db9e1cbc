/** Disks that are full, and disks and folders that cannot be written to: the save fails and says so, and nothing saved before is lost. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore } from '../../../src/server/engine/store';
import { Persistence } from '../../../src/server/snapshot/persistence';

const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-disks-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
/** A small disk, which only root can make; a container may not let him. */
const mounted = process.platform === 'linux' && mount('-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk);
const isRoot = process.getuid?.() === 0;

afterAll(() => {
  if (mounted) spawnSync('umount', ['-l', disk]);
  rmSync(folder, { recursive: true, force: true });
});

function mount(...args: string[]): boolean {
  return spawnSync('mount', args, { stdio: 'ignore' }).status === 0;
}

interface Opened {
  readonly store: MemoryStore;
  readonly persistence: Persistence;
  readonly log: string[];
}

async function open(file: string): Promise<Opened> {
  const store = new MemoryStore();
  const log: string[] = [];
  const persistence = await Persistence.open(store, { file, interval: 0, log: (line) => log.push(line) });
  return { store, persistence, log };
}

function set(store: MemoryStore, key: string, value: string | Buffer): void {
  expect(store.store('set', key, value, 0, 0)).toBe('stored');
}

async function keysIn(file: string): Promise<string[]> {
  const { store } = await open(file);
  return Array.from(store.items(), ({ key }) => key).sort();
}

/** Saves, makes the next save impossible, and then possible again. */
async function failOnce(file: string, code: string, spoil: (store: MemoryStore) => void, mend: (store: MemoryStore) => void): Promise<void> {
  const { store, persistence, log } = await open(file);
  set(store, 'saved', 'v');
  await persistence.save();
  set(store, 'not saved', 'v');
  spoil(store);
  for (let i = 0; i < 2; i++) await expect(persistence.save()).rejects.toMatchObject({ code });
  expect(log).toEqual([1, 2].map((): unknown => expect.stringMatching(`^snapshot ${file} could not be saved: (Error: )?${code}`)));
  expect(readdirSync(join(file, '..')).filter((name) => name.includes('.tmp-'))).toEqual([]);
  // The store goes on, and so would another process after a crash.
  expect(store.find('not saved')).toBeDefined();
  expect(await keysIn(file)).toEqual(['saved']);
  mend(store);
  await persistence.close();
  expect(await keysIn(file)).toEqual(['not saved', 'saved']);
}

(mounted ? describe : describe.skip)(`a disk of its own${mounted ? '' : ' (needs root, and a system that lets it mount one)'}`, () => {
  it('that is full', async () => {
    await failOnce(
      join(disk, 'snapshot'),
      'ENOSPC',
      (store) => { for (let i = 0; i < 3; i++) set(store, `large${i}`, Buffer.alloc(900_000)); },
      (store) => { for (let i = 0; i < 3; i++) store.delete(`large${i}`); },
    );
  });

  it('that is read-only', async () => {
    await failOnce(
      join(disk, 'other'),
      'EROFS',
      () => { expect(mount('-o', 'remount,ro', disk)).toBe(true); },
      () => { expect(mount('-o', 'remount,rw', disk)).toBe(true); },
    );
  });
});

// Root may write everywhere.
(isRoot || process.platform === 'win32' ? it.skip : it)('a folder that may not be written to', async () => {
  const home = join(folder, 'home');
  mkdirSync(home);
  await failOnce(join(home, 'snapshot'), 'EACCES', () => { chmodSync(home, 0o555); }, () => { chmodSync(home, 0o755); });
});

it('a file that may not be written to is replaced all the same: that is the folder’s to allow', async () => {
  const file = join(folder, 'read-only');
  const { store, persistence } = await open(file);
  set(store, 'a', 'v');
  await persistence.save();
  chmodSync(file, 0o400);
  set(store, 'b', 'v');
  await persistence.close();
  expect(await keysIn(file)).toEqual(['a', 'b']);
});
