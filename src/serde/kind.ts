/** The name of the value's class, for a message. */
export function nameOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown };
  return typeof constructor === 'function' && !/^(Object|Iterator)?$/.test(constructor.name) ? constructor.name : kindOf(value);
}

/** The name of the value's built-in class, in whichever realm it was made. */
export function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
