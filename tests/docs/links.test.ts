import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => join('docs', name)),
];

/** What a heading is linked by. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s-]/gu, '').trim().replace(/\s/g, '-');
}

it.each(pages)('%s: every link leads somewhere', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8').replace(/```.*?```/gs, '');
  const dead: string[] = [];
  for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(?:https?|mailto):/.test(target)) continue;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? join(ROOT, page) : resolve(dirname(join(ROOT, page)), path);
    if (!existsSync(file)) dead.push(target);
    else if (anchor !== undefined && !readFileSync(file, 'utf8').split('\n').some((line) => line.startsWith('#') && anchorOf(line.replace(/^#+/, '')) === anchor)) dead.push(target);
  }
  expect(dead).toEqual([]);
});

it.each(pages)('%s: what it links to is in the published package too, and the files that it names are there', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8').replace(/```.*?```/gs, '');
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
  const published = ['README.md', 'LICENSE', 'package.json', ...files];
  const linked = [...text.matchAll(/\]\((?!\w+:)([^)\s#]+)/g)].map(([, target = '']) => relative(ROOT, resolve(dirname(join(ROOT, page)), target)));
  expect(linked.filter((file) => !published.some((name) => file === name || file.startsWith(`${name}/`)))).toEqual([]);
  const named = [...text.matchAll(/`((?:tests|src|docs|tools|compare|examples)\/[\w./-]+)`/g)].map(([, file = '']) => file);
  expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

it.each(pages)('%s: what is to be generated is there', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  expect(text).not.toMatch(/<!--[^>]*(?:begin|written by)[^>]*-->\s*<!--/);
});

it('README leads to every page', () => {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, table = ''] = /^## Which page answers what$(.*)/ms.exec(text) ?? [];
  expect(pages.filter((page) => page !== 'README.md' && !table.includes(`](${page})`))).toEqual([]);
});
