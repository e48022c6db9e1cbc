/** A class with many subclasses defines no fields: see `BaseCommand`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const SRC = join(__dirname, '../../src');
/** V8 keeps four shapes per place in the code, and looks up every one once there are more. */
const FEW = 4;

interface ClassSeen {
  readonly file: string;
  readonly base: string | undefined;
  readonly isAbstract: boolean;
  /** Public fields that are defined, not only declared. */
  readonly fields: readonly string[];
}

/** The classes of the folder of commands and of what builds on them, by name. */
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
        isAbstract: has(node, ts.SyntaxKind.AbstractKeyword),
        fields: node.members.filter(ts.isPropertyDeclaration).filter(isDefined).map(({ name: field }) => (field as ts.Identifier).text),
      });
    }
  }
  return found;
}

function has(node: ts.ClassDeclaration | ts.PropertyDeclaration, kind: ts.SyntaxKind): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === kind) === true;
}

function isDefined(field: ts.PropertyDeclaration): boolean {
  const kinds = [ts.SyntaxKind.DeclareKeyword, ts.SyntaxKind.AbstractKeyword, ts.SyntaxKind.StaticKeyword];
  return !ts.isPrivateIdentifier(field.name) && !kinds.some((kind) => has(field, kind));
}

test('a class of commands with more than four kinds of instances defines no fields', () => {
  const all = classes();
  const kinds = new Map<string, number>();
  for (const [name, { isAbstract }] of all) {
    if (isAbstract) continue;
    for (let at: string | undefined = name; at !== undefined; at = all.get(at)?.base) kinds.set(at, (kinds.get(at) ?? 0) + 1);
  }
  const ofCommands = (name: string | undefined): boolean => name !== undefined && (name === 'BaseCommand' || ofCommands(all.get(name)?.base));
  const many = [...all.keys()].filter((name) => ofCommands(name) && (kinds.get(name) ?? 0) > FEW);
  expect(many).toEqual(expect.arrayContaining(['BaseCommand', 'KeyCommand', 'ServerCommand']));
  expect(many.filter((name) => all.get(name)?.fields.length !== 0)).toEqual([]);
});
