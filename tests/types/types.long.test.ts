import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const files = readdirSync(__dirname).filter((name) => name.endsWith('.types.ts'));

let program: ts.Program;

beforeAll(() => {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as object;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  program = ts.createProgram(files.map((file) => join(__dirname, file)), options);
});

/** What the compiler says of one file; of all that they import, too, without one. */
function problemsOf(file?: string): string[] {
  return ts.getPreEmitDiagnostics(program, file === undefined ? undefined : program.getSourceFile(join(__dirname, file))).map(({ messageText, file: where, start }) => {
    const line = where === undefined || start === undefined ? 0 : where.getLineAndCharacterOfPosition(start).line + 1;
    return `${where?.fileName ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

/** An expected error that does not come is an error itself, so no output means that all is as the files say. */
it.each(files)('%s compiles, and what must not compile does not', (file) => {
  expect(program.getSourceFile(join(__dirname, file))).toBeDefined();
  expect(problemsOf(file)).toEqual([]);
});

it('what they import compiles', () => {
  expect(problemsOf()).toEqual([]);
});
