/** Bytes by the character that they stand for. The build leaves the numbers and nothing else, as these loops run for every reply. */
export const enum Ascii {
  Lf = 10,
  Cr = 13,
  Space = 32,
  Dollar = 36,
  Asterisk = 42,
  Minus = 45,
  Zero = 48,
  One = 49,
  A = 65,
  E = 69,
  L = 76,
  U = 85,
  V = 86,
}
