import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';
import * as ts from 'typescript';

const page = readFileSync(join(__dirname, '../../docs/testing.md'), 'utf8');

/** The tests that the page shows under this heading; they run here, as those of a user. */
function shown(heading: string): string {
  const [, code] = new RegExp(`^### ${heading}\\n.*?^\`\`\`ts[^\\n]*\\n(.*?)^\`\`\``, 'ms').exec(page) ?? [];
  if (code === undefined) throw new Error(`there is no code under ${heading}`);
  return code;
}

describe('the tests in docs/testing.md for Jest', () => {
  const { outputText } = ts.transpileModule(shown('Jest'), { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  const given = { require, exports: {}, jest, it, expect, beforeEach, afterEach };
  (compileFunction(outputText, Object.keys(given)) as (...values: unknown[]) => void)(...Object.values(given));
});
