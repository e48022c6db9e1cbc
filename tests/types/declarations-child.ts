/**
 * What a compiler says of the declarations of the package and of the programs in `user`: `declarations-child.ts COMPILER OPTION…`,
 * in the folder of the project. Only these files are checked, and what they need of others: the declarations of peers
 * are not ours to mend, and take longer than all else.
 */
import { relative } from 'node:path';
import type * as TypeScript from 'typescript';

export interface Found {
  readonly checked: number;
  readonly problems: readonly string[];
}

const OURS = /^(user|node_modules\/tsmemcache)\//;
const [compiler = '', ...options] = process.argv.slice(2);
// eslint-disable-next-line @typescript-eslint/no-require-imports -- which compiler it is stands in the arguments
const ts = require(compiler) as typeof TypeScript;
const command = ts.parseCommandLine(options);
const program = ts.createProgram(command.fileNames, command.options);
const ours = program.getSourceFiles().filter(({ fileName }) => OURS.test(relative(process.cwd(), fileName)));
const diagnostics = [
  ...command.errors,
  ...program.getOptionsDiagnostics(),
  ...ours.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ...program.getGlobalDiagnostics(),
];
const problems = diagnostics.map(({ file, messageText }) => `${file?.fileName ?? 'error'}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
const found: Found = { checked: ours.length, problems };
process.stdout.write(JSON.stringify(found));
