/** Classes of commands declare their fields, and define none: see `BaseCommand`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const SRC = join(__dirname, '../../src');
interface ClassSeen {
  readonly file: string;
  readonly base: string | undefined;
  /** Public fields that are defined, not only declared. */
  readonly fields: readonly string[];
}

/** The classes of the package, by name. */
function classes(): Map<string, ClassSeen> {
  const found = new Map<string, ClassSeen>();
  for (const name of readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.ts'))) {
    const file = join(SRC, name);
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
    for (const node of source.statements) {
      if (!ts.isClassDeclaration(node) || node.name === undefined) continue;
      const [base] = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types ?? [];
      found.set(node.name.text, {
        file: relative(SRC, file),
        base: base !== undefined && ts.isIdentifier(base.expression) ? base.expression.text : undefined,
        fields: node.members.filter(ts.isPropertyDeclaration).filter(isDefined).map(({ name: field }) => (field as ts.Identifier).text),
      });
    }
  }
  return found;
}

function isDefined(field: ts.PropertyDeclaration): boolean {
  const kinds = [ts.SyntaxKind.DeclareKeyword, ts.SyntaxKind.AbstractKeyword, ts.SyntaxKind.StaticKeyword];
  return !ts.isPrivateIdentifier(field.name) && !field.modifiers?.some(({ kind }) => kinds.includes(kind));
}

test('no class of commands of the client defines a field', () => {
  const all = classes();
  const isCommand = (name: string | undefined): boolean => name !== undefined && (name === 'BaseCommand' || isCommand(all.get(name)?.base));
  const commands = [...all].filter(([name, { file }]) => isCommand(name) && file.startsWith('client'));
  expect(commands.map(([name]) => name)).toEqual(expect.arrayContaining(['BaseCommand', 'KeyCommand', 'StoreCommand', 'MetaGetCommand']));
  expect(commands.flatMap(([name, { fields }]) => fields.map((field) => `${name}.${field}`))).toEqual([]);
});
