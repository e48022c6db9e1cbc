const SPACE = /[\t-\r ]/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };
const HEX_ESCAPE = /\\x([0-9a-f]{2})/iy;

/**
 * Cuts an inline command, `SET greeting "hello world"`, into its arguments as Redis does (`sdssplitargs`): in double quotes `\n
 * \r \t \b \a \xHH` stand for those bytes, in single quotes only `\'`; a closing quote ends the argument.
 *
 * @param line without its line end; a NUL ends it
 * @returns `undefined` when a quote is not closed, or something directly follows a closing quote
 */
export function splitInline(line: string): string[] | undefined {
  const nul = line.indexOf('\0');
  const end = nul < 0 ? line.length : nul;
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < end && SPACE.test(line.charAt(at))) at++;
    if (at === end) return words;
    let word = '';
    for (let quote = ''; ; at++) {
      const char = at < end ? line.charAt(at) : '';
      if (quote === '') {
        if (char === '' || /[ \n\r\t]/.test(char)) break;
        if (char === '"' || char === "'") quote = char;
        else word += char;
      } else if (char === '') {
        return undefined;
      } else if (char === quote) {
        at++;
        if (at < end && !SPACE.test(line.charAt(at))) return undefined;
        break;
      } else if (char === '\\' && quote === '"' && at + 1 < end) {
        HEX_ESCAPE.lastIndex = at;
        const hex = HEX_ESCAPE.exec(line)?.[1];
        const escaped = line.charAt(at + 1);
        word += hex === undefined ? (ESCAPES[escaped] ?? escaped) : String.fromCharCode(Number.parseInt(hex, 16));
        at += hex === undefined ? 1 : 3;
      } else if (char === '\\' && line.charAt(at + 1) === "'") {
        word += "'";
        at++;
      } else {
        word += char;
      }
    }
    words.push(word);
  }
}
