/** For the other files of this folder: what must be of exactly a type. */

/** Takes only what is exactly a `T`. */
type Is<T> = <U>(value: U, ...same: IsSame<T, U> extends true ? [] : ['not the same type']) => void;
type IsSame<A, B> = Box<A> extends Box<B> ? (Box<B> extends Box<A> ? true : false) : false;
/** Neither of two Boxes is assignable to the other unless what is in them is of the same type. */
interface Box<T> {
  put: (value: T) => void;
  take: () => T;
}
export function is<T>(): Is<T> {
  return () => undefined;
}
