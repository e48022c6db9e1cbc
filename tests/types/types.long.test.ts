import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const files = readdirSync(__dirname).filter((name) => name.endsWith('.types.ts'));

/** An expected error that does not come is an error itself, so no output means that all is as the files say. */
it.each(files)('%s compiles, and what must not compile does not', (file) => {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as object;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram([join(__dirname, file)], options);
  const problems = ts.getPreEmitDiagnostics(program).map(({ messageText, file: where, start }) => {
    const line = where === undefined || start === undefined ? 0 : where.getLineAndCharacterOfPosition(start).line + 1;
    return `${where?.fileName ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
  expect(problems).toEqual([]);
});
