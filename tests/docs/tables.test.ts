import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as ts from 'typescript';
import { CHANNELS, Client } from '../../src';
import { EVENT_NAMES } from '../../src/cache/types';
import { EMBEDDED_CHANNELS } from '../../src/server';

const ROOT = resolve(__dirname, '../..');

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** The line of a table whose first cells name this. */
function rowOf(page: string, name: string): string | undefined {
  return page.split('\n').find((line) => line.startsWith('|') && line.split('|').slice(1, 3).some((cell) => new RegExp(`\`${name}\``).test(cell)));
}

/** The members of an interface, those that it inherits left out. */
function membersOf(file: string, name: string): string[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest);
  const declared = source.statements.filter(ts.isInterfaceDeclaration).find((statement) => statement.name.text === name);
  const names = (declared?.members ?? []).map((member) => (member.name !== undefined && ts.isIdentifier(member.name) ? member.name.text : ''));
  expect(names.length).toBeGreaterThan(0);
  return names;
}

/** The interface of each channel's message, by `ChannelMessages`. */
function messageTypes(): ReadonlyMap<string, string> {
  return new Map([...read('src/client/observe.ts').matchAll(/^ {2}'(tsmemcache:[\w:]+)': (\w+);$/gm)].map(([, channel = '', type = '']) => [channel, type]));
}

describe('docs/observability.md', () => {
  const page = read('docs/observability.md');

  it.each(Object.entries(CHANNELS))('has the channel %s, its name, and each field of its message', (property, channel) => {
    const row = rowOf(page, channel);
    expect(row).toContain(`\`${property}\``);
    const type = messageTypes().get(channel) ?? '';
    expect(membersOf('src/client/observe.ts', type).filter((field) => !new RegExp(`\`${field}\``).test(row ?? ''))).toEqual([]);
  });

  it('has each field of metrics()', async () => {
    const client = new Client('127.0.0.1:1');
    const [metrics = {}] = client.metrics().values();
    await client.close();
    expect(Object.keys(metrics).length).toBeGreaterThan(15);
    expect(Object.keys(metrics).filter((field) => rowOf(page, field) === undefined)).toEqual([]);
  });
});

it('docs/embedded-server.md has each channel of the embedded server', () => {
  const page = read('docs/embedded-server.md');
  expect(Object.values(EMBEDDED_CHANNELS).filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`:${name.split(':').at(-1) ?? ''}\``))).toEqual([]);
});

it('docs/cache.md has each event of a cache', () => {
  const page = read('docs/cache.md');
  expect(EVENT_NAMES.filter((name) => rowOf(page, name) === undefined)).toEqual([]);
});

it('docs/architecture.md names files that are there', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const named = [...read('docs/architecture.md').matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = '']) => file);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((name) => !existsSync(join(ROOT, name)) && !files.some((file) => `/${file}`.endsWith(`/${name}`)))).toEqual([]);
});
