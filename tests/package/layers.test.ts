import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative, resolve, sep } from 'node:path';
import { circleOf, houseOf, importsOfSrc, roomOf } from '../../tools/rooms';

const SRC = resolve(__dirname, '../../src');

/** The ground that everything stands on, from the bottom; each may import those before it. */
const GROUND = ['errors', 'options', 'protocol', 'serde', 'client', 'pool', 'hash'] as const;

function upTo(last: (typeof GROUND)[number]): readonly string[] {
  return GROUND.slice(0, GROUND.indexOf(last) + 1);
}

/** Which folders of `src` each folder may import, beside itself and `runtime`. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  errors: [],
  options: ['errors'],
  protocol: upTo('options'),
  serde: upTo('protocol'),
  client: upTo('serde'),
  pool: upTo('client'),
  hash: upTo('pool'),
  cache: upTo('hash'),
  adapters: upTo('hash'),
  telemetry: upTo('hash'),
  server: upTo('protocol'),
  embedded: [...upTo('client'), 'server'],
  cli: [...upTo('hash'), 'server', 'embedded', 'cache', 'telemetry'],
  'index.ts': upTo('hash'),
};

/** Within a folder, which of its rooms each room may import; files that lie in the folder itself may import all of them. */
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  serde: { pickle: [], structured: [] },
  // A policy has commands of its own to send: a probe, a copy of an item.
  client: { commands: [], wire: [], policies: ['commands'] },
  hash: { placement: [], discovery: [] },
  server: {
    engine: [],
    snapshot: ['engine'],
    net: ['engine'],
    shared: ['engine', 'snapshot', 'net'],
    memcached: ['engine', 'snapshot', 'net', 'shared'],
    redis: ['engine', 'snapshot', 'net', 'shared'],
  },
};

/** The packages that a folder may import; nothing else is a dependency. Those of adapters and telemetry are optional peers. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  pool: ['generic-pool'],
  serde: ['fflate'],
  cache: ['lru-cache'],
  telemetry: ['@opentelemetry/api'],
  adapters: ['keyv', 'express-session', 'express-rate-limit', 'next', 'unstorage'],
};

const imports = importsOfSrc();
const files = [...imports.keys()];

it.each(files)('%s imports only what its folder may', (file) => {
  const house = houseOf(file);
  const allowed = LAYERS[house];
  expect(allowed).toBeDefined();
  const { files: imported, modules } = imports.get(file) ?? { files: [], modules: [] };
  for (const other of imported) expect([house, 'runtime', ...(allowed ?? [])]).toContain(houseOf(other));
  const packages = modules.filter((name) => !builtinModules.includes(name.replace(/^node:/, '')));
  for (const name of packages) expect(PACKAGES[house] ?? []).toContain(name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'));
});

/** The room inside its folder that a file lies in: `engine` for `server/engine/store.ts`. */
function innerRoom(file: string): string | undefined {
  return roomOf(file).split('/')[1];
}

it.each(files.filter((file) => ROOMS[houseOf(file)] !== undefined && innerRoom(file) !== undefined))('%s goes only through the doors of its room', (file) => {
  const house = houseOf(file);
  const room = innerRoom(file) ?? '';
  const allowed = ROOMS[house]?.[room];
  expect(allowed).toBeDefined();
  for (const other of imports.get(file)?.files ?? []) {
    if (houseOf(other) !== house || innerRoom(other) === room) continue;
    const target = innerRoom(other);
    // The rooms of a server know nothing of what is above them.
    if (target === undefined) expect(house === 'server' ? other : '').toBe('');
    else expect(allowed ?? []).toContain(target);
  }
});

it('the engine of the server knows no protocol', () => {
  const engine = [...imports].filter(([file]) => roomOf(file) === 'server/engine');
  expect(engine.length).toBeGreaterThan(0);
  for (const [file, { files: imported }] of engine) {
    const foreign = imported.filter((other) => houseOf(other) === 'protocol' && !/^protocol\/(bytes|limits|numbers)\.ts$/.test(other));
    expect([file, foreign]).toEqual([file, []]);
  }
});

it.each(files.filter((file) => houseOf(file) === 'adapters'))('%s is small enough to be read at once', (file) => {
  expect(readFileSync(join(SRC, file), 'utf8').split('\n').length).toBeLessThan(200);
});

it('files do not import each other in a circle, types included', () => {
  expect(circleOf(imports)?.join(' → ')).toBeUndefined();
});

describe('what is loaded', () => {
  /** The files of `src`, and the packages, that are loaded along with `entry`. */
  function loadedWith(entry: string): string[] {
    const program = `
      require('tsx/cjs');
      require(${JSON.stringify(join(SRC, entry))});
      process.stdout.write(JSON.stringify(Object.keys(require.cache)));
    `;
    const output = execFileSync(process.execPath, ['-e', program], { cwd: join(SRC, '..'), encoding: 'utf8' });
    const paths = JSON.parse(output) as string[];
    return paths.filter((path) => !path.includes(`${sep}tsx${sep}`)).map((path) => relative(join(SRC, '..'), path));
  }

  it('a client loads no server, cache, adapter or telemetry', () => {
    const loaded = loadedWith('index.ts');
    expect(loaded).toContain(join('src', 'client', 'client.ts'));
    expect(loaded.filter((path) => /^src.(server|embedded|cli|cache|adapters|telemetry)\W/.test(path))).toEqual([]);
  });

  it('a server loads no client and no package', () => {
    const loaded = loadedWith(join('server', 'index.ts'));
    expect(loaded.filter((path) => /^src.server\W/.test(path))).not.toEqual([]);
    expect(loaded.filter((path) => /^src.(client|serde|pool|hash|embedded|cli|cache|adapters|telemetry)\W/.test(path))).toEqual([]);
    expect(loaded.filter((path) => /node_modules.(generic-pool|fflate|lru-cache)/.test(path))).toEqual([]);
  });
});
