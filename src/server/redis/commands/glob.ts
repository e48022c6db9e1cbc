/** Whether it matches one character. */
type Piece = (char: string) => boolean;

const ANY: Piece = () => true;

/**
 * A glob pattern, with Redis's rules: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a literal character. Its time never exceeds the
 * product of both lengths, whatever the pattern.
 */
export class Glob {
  /** How many comparisons it has made: about 10 ns each. */
  steps = 0;
  readonly #pieces: readonly (Piece | '*')[];

  constructor(pattern: string) {
    this.#pieces = parse(pattern);
  }

  matches(text: string): boolean {
    const pieces = this.#pieces;
    let piece = 0;
    let at = 0;
    let steps = 0;
    // The last star, and the end of what it matches so far: it takes one more character when the rest does not match.
    let star = -1;
    let taken = 0;
    let fits = true;
    while (fits && at < text.length) {
      const next = pieces[piece];
      steps++;
      if (next === '*') {
        // Whatever follows, the last star matches it.
        if (piece === pieces.length - 1) break;
        star = piece++;
        taken = at;
      } else if (next?.(text.charAt(at)) === true) {
        piece++;
        at++;
      } else if (star >= 0) {
        piece = star + 1;
        at = ++taken;
      } else {
        fits = false;
      }
    }
    this.steps += steps;
    while (pieces[piece] === '*') piece++;
    return fits && piece === pieces.length;
  }
}

function parse(pattern: string): (Piece | '*')[] {
  const pieces: (Piece | '*')[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === '*') {
      if (pieces.at(-1) !== '*') pieces.push('*');
    } else if (char === '?') {
      pieces.push(ANY);
    } else if (char === '[') {
      const [piece, end] = charClass(pattern, at + 1);
      pieces.push(piece);
      at = end;
    } else {
      const literal = char === '\\' && at + 1 < pattern.length ? pattern.charAt(++at) : char;
      pieces.push((other) => other === literal);
    }
  }
  return pieces;
}

/** The class after a `[`, and where its `]` is; one that is not closed extends to the end. */
function charClass(pattern: string, start: number): [piece: Piece, end: number] {
  const negated = pattern.charAt(start) === '^';
  const ranges: [first: string, last: string][] = [];
  let at = negated ? start + 1 : start;
  for (; at < pattern.length; at++) {
    let char = pattern.charAt(at);
    if (char === '\\' && at + 1 < pattern.length) {
      char = pattern.charAt(++at);
      ranges.push([char, char]);
    } else if (char === ']') {
      break;
    } else if (pattern.charAt(at + 1) === '-' && at + 2 < pattern.length) {
      // In a range, even `]` can be the second character.
      const other = pattern.charAt(at + 2);
      ranges.push(char <= other ? [char, other] : [other, char]);
      at += 2;
    } else {
      ranges.push([char, char]);
    }
  }
  return [(char) => ranges.some(([first, last]) => char >= first && char <= last) !== negated, at];
}
