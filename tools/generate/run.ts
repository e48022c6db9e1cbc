/** `npm run docs -- [--check]`: writes the generated parts of the documentation, or says which are not up to date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { doors, houseOf, importsOfSrc, picture, roomOf } from '../rooms';
import { apiReport, unreleasedChanges } from './api';
import { cpuPicture, cpuText, faultTotals } from './first-screen';
import { CACHE_GROUPS, metaTables, optionTables, SERVER_GROUPS } from './options';

const DOCS = join(__dirname, '..', '..', 'docs');

function replacePart(page: string, part: string, text: string): string {
  const begin = `<!-- generated: ${part} -->`;
  const end = `<!-- end of ${part} -->`;
  const old = readFileSync(join(DOCS, page), 'utf8');
  const from = old.indexOf(begin);
  const to = old.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/${page} has no place for ${part}: ${begin} … ${end}`);
  return `${old.slice(0, from)}${begin}\n\n${text.trim()}\n\n${old.slice(to)}`;
}

/** The pictures of the rooms: the whole house, and the inside of what has rooms of its own. */
function rooms(): string {
  const imports = importsOfSrc();
  const inner = ['client', 'hash', 'server'].map((house) => {
    const inside = doors(imports, (file) => (houseOf(file) === house ? roomOf(file).split('/').slice(0, 2).join('/') : undefined));
    return `Inside \`${house}\`:\n\n${picture(inside)}`;
  });
  return [picture(doors(imports, houseOf)), ...inner].join('\n\n');
}

const REPORT = join(DOCS, 'api.md');
const HEAD = `# The public surface

Every name that the package exports, with its signature; written by \`npm run docs\`. When it changes, CHANGELOG.md says so.
`;

/** The report; a new one is only written when the changelog has changed as well. */
function report(): string {
  const old = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : '';
  const body = apiReport();
  if (old.includes(body)) return old;
  const changes = unreleasedChanges();
  if (old.includes(`<!-- changelog ${changes} -->`)) {
    throw new Error('the public surface has changed, and CHANGELOG.md has not: say under "Unreleased" what users get, then run npm run docs again');
  }
  return `${HEAD}\n<!-- changelog ${changes} -->\n\n${body}\n`;
}

function page(name: string): string {
  return readFileSync(join(DOCS, name), 'utf8');
}

/** README's first screen. */
function readme(): string {
  const picture = `![${cpuText(page('benchmarks.md'))}](docs/benchmarks/cpu-per-get.svg)`;
  return replacePart('../README.md', 'first screen', `${picture}\n\n${faultTotals(page('faults.md'))}`);
}

const pages: readonly (readonly [page: string, text: () => string])[] = [
  ['options.md', () => replacePart('options.md', 'options', optionTables())],
  ['cache.md', () => replacePart('cache.md', 'options', optionTables(CACHE_GROUPS))],
  ['embedded-server.md', () => replacePart('embedded-server.md', 'options', optionTables(SERVER_GROUPS))],
  ['meta.md', () => replacePart('meta.md', 'options', metaTables())],
  ['architecture.md', () => replacePart('architecture.md', 'rooms', rooms())],
  ['api.md', report],
  ['benchmarks/cpu-per-get.svg', () => cpuPicture(page('benchmarks.md'))],
  ['../README.md', readme],
];

const outdated = pages.filter(([name, text]) => {
  const file = join(DOCS, name);
  const wanted = text();
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return false;
  if (!process.argv.includes('--check')) writeFileSync(file, wanted);
  return true;
});
for (const [name] of outdated) console.log(process.argv.includes('--check') ? `docs/${name} is not up to date; run npm run docs` : `docs/${name} was written`);
if (process.argv.includes('--check') && outdated.length > 0) process.exitCode = 1;
